ambit_test(model_line_tests SOURCES model_line_test.cpp LIBS ambit_daemon nlohmann_json::nlohmann_json)
ambit_test(daemon_tests SOURCES clean_cases_test.cpp item_check_test.cpp clean_loop_test.cpp documents_test.cpp forwarder_test.cpp message_head_test.cpp prompt_window_test.cpp recompute_test.cpp watcher_test.cpp workspace_test.cpp LIBS ambit_daemon nlohmann_json::nlohmann_json)
ambit_test(lsp_command_tests SOURCES lsp_command_test.cpp LIBS ambit_test_support ambit_daemon nlohmann_json::nlohmann_json)
add_dependencies(lsp_command_tests ambit)
