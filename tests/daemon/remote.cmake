find_package(OpenSSL REQUIRED)
ambit_test(remote_program_tests SOURCES remote_test.cpp ../inference/remote/fault_server.cpp
  ../inference/remote/llama_server.cpp ../inference/remote/tiny_gguf.cpp
  LIBS ambit_test_support ambit_inference nlohmann_json::nlohmann_json OpenSSL::SSL)
target_compile_definitions(remote_program_tests PRIVATE AMBIT_PROGRAM="$<TARGET_FILE:ambit>")
add_dependencies(remote_program_tests ambit)
