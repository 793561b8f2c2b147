# The remote backend against a server of our own that misbehaves as told, and against llama.cpp's.
find_package(OpenSSL REQUIRED)
ambit_test(remote_tests SOURCES
  plan_test.cpp
  plan_cold_test.cpp
  remote/fault_server.cpp remote/llama_server.cpp remote/tiny_gguf.cpp
  remote/parts_test.cpp remote/remote_backend_test.cpp remote/tls_test.cpp remote/llama_test.cpp
  LIBS ambit_inference nlohmann_json::nlohmann_json OpenSSL::SSL)
