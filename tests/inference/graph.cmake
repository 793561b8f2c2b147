# The model's graph: configuration, weights, ops, state, engine.
ambit_test(inference_graph_tests SOURCES
  model/golden.cpp
  model/golden_test.cpp
  model/paths_test.cpp
  model/mutation_test.cpp
  ops/ops_test.cpp
  ops/thread_pool_test.cpp
  kv/disk_store_test.cpp
  engine/grammar_test.cpp
  engine/local_backend_test.cpp
  engine/commands_test.cpp
  LIBS ambit_inference nlohmann_json::nlohmann_json)
