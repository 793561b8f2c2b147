ambit_test(refactor_tests SOURCES
  refactor/edits_test.cpp
  refactor/extract_test.cpp
  refactor/extract_typed_test.cpp
  refactor/go_interfaces_test.cpp
  refactor/hostile_test.cpp
  refactor/journal_test.cpp
  refactor/model_plan_test.cpp
  refactor/verify_test.cpp
  refactor/move_java_test.cpp
  refactor/move_script_test.cpp
  refactor/move_test.cpp
  refactor/rename_test.cpp
  refactor/signature_test.cpp
  refactor/undo_test.cpp
  LIBS ambit_daemon)
