ambit_test(daemon_tests SOURCES clean_loop_test.cpp message_head_test.cpp prompt_window_test.cpp LIBS ambit_daemon)
