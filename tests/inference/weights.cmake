# Checkpoint readers and the binding of their tensors.
ambit_test(inference_weights_tests SOURCES
  model/golden.cpp
  weights/gguf_test.cpp
  weights/weights_test.cpp
  weights/convert_test.cpp
  weights/gguf_mtp_test.cpp
  LIBS ambit_inference nlohmann_json::nlohmann_json)
