# The model's graph: configuration, weights, ops, state, engine.
ambit_test(inference_graph_tests SOURCES
  model/golden.cpp
  model/golden_test.cpp
  ops/ops_test.cpp
  LIBS ambit_inference)
