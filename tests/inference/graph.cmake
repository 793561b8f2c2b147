# The model's graph: configuration, weights, ops, state, engine.
ambit_test(inference_graph_tests SOURCES
  model/golden.cpp
  model/golden_difference.cpp
  model/golden_test.cpp
  model/paths_test.cpp
  model/mutation_test.cpp
  ops/ops_test.cpp
  ops/sample_test.cpp
  ops/thread_pool_test.cpp
  kv/disk_store_test.cpp
  device/hot_experts_test.cpp
  device/expert_binding_test.cpp
  device/cold_experts_test.cpp
  device/layout_test.cpp
  engine/grammar_test.cpp
  engine/local_backend_test.cpp
  engine/prefill_pace_test.cpp
  engine/commands_test.cpp
  LIBS ambit_inference nlohmann_json::nlohmann_json)

# kill -9 of an engine that writes its state.
add_executable(engine_kill_test engine/kill_test.cpp model/golden.cpp)
target_link_libraries(engine_kill_test PRIVATE ambit_flags ambit_inference GTest::gtest)
target_compile_definitions(engine_kill_test PRIVATE AMBIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_test(NAME inference.killed_engine COMMAND engine_kill_test)
set_tests_properties(inference.killed_engine PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)

# DSpark against plain Python, on a checkpoint that a script makes.
find_package(Python3 COMPONENTS Interpreter)
ambit_test(inference_dspark_tests SOURCES model/dspark_test.cpp LIBS ambit_inference nlohmann_json::nlohmann_json)
target_compile_definitions(inference_dspark_tests PRIVATE AMBIT_PYTHON="${Python3_EXECUTABLE}")

# The golden data's table of mistakes, planted in the source.
if(Python3_FOUND)
  add_executable(golden_probe model/golden_probe.cpp model/golden.cpp model/golden_difference.cpp)
  target_link_libraries(golden_probe PRIVATE ambit_flags ambit_inference GTest::gtest)
  target_compile_definitions(golden_probe PRIVATE AMBIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME inference.golden_mistakes COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/model/mistakes.py ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  set_tests_properties(inference.golden_mistakes PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()

# The NEON side of the ops, under qemu where the machine can.
add_test(NAME inference.neon COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/ops/neon.sh ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/neon)
set_tests_properties(inference.neon PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
