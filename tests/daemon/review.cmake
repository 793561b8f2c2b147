ambit_test(review_tests SOURCES review_test.cpp answer_grammar_test.cpp LIBS ambit_daemon nlohmann_json::nlohmann_json)
