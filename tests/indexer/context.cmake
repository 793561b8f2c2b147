ambit_test(indexer_context_tests
  SOURCES context/packer_test.cpp
  LIBS ambit_context)
ambit_test(indexer_ranking_tests
  SOURCES context/ranking_test.cpp
  LIBS ambit_indexer)
