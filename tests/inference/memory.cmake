ambit_test(memory_tests SOURCES memory/memory_test.cpp LIBS ambit_inference)
