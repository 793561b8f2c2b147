ambit_test(cli_tests SOURCES cli_test.cpp LIBS nlohmann_json::nlohmann_json)
target_compile_definitions(cli_tests PRIVATE AMBIT_PROGRAM="$<TARGET_FILE:ambit>")
add_dependencies(cli_tests ambit)
