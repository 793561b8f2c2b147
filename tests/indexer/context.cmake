ambit_test(indexer_context_tests
  SOURCES context/packer_test.cpp
  LIBS ambit_context)
