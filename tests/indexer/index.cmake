# Repositories for these tests are made in temporary folders with the git command.
ambit_test(index_tests
  SOURCES
    syntax_test.cpp
    store_test.cpp
    repo_index_test.cpp
    odd_repositories_test.cpp
    resolve_test.cpp
    filter_test.cpp
    secrets_test.cpp
    diff_test.cpp
    history_test.cpp
  LIBS ambit_indexer)
