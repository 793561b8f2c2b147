ambit_test(guard_tests SOURCES refactor/guard_test.cpp LIBS ambit_daemon)
target_compile_definitions(guard_tests PRIVATE AMBIT_PROGRAM="$<TARGET_FILE:ambit>")
add_dependencies(guard_tests ambit)
