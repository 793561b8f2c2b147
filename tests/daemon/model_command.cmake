ambit_test(model_command_tests SOURCES model_command_test.cpp LIBS nlohmann_json::nlohmann_json)
target_compile_definitions(model_command_tests PRIVATE AMBIT_PROGRAM="$<TARGET_FILE:ambit>")
add_dependencies(model_command_tests ambit)
