ambit_test(inference_tokenizer_tests
  SOURCES
    tokenizer/chat_format_test.cpp
    tokenizer/golden_test.cpp
    tokenizer/tokenizer_test.cpp
    scripted/scripted_backend_test.cpp
  LIBS ambit_inference nlohmann_json::nlohmann_json)
