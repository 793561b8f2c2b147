// Counts what a grammar does not understand, for evaluate.py:
//   parse_errors < LINES    one JSON object {"path": …, "text": …} a line in, one number a line out
// (-1: no grammar for that path).
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "indexer/syntax/extract.h"
#include "indexer/syntax/languages.h"

int main() {
  using namespace ambit::indexer;
  Extractor extractor;
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("path") || !json.contains("text")) {
      std::cerr << "parse_errors: a line is a JSON object with \"path\" and \"text\"\n";
      return 2;
    }
    const auto path = json["path"].get<std::string>();
    const auto text = json["text"].get<std::string>();
    const auto facts = extractor.extract(language_of(path, text), text);
    std::cout << (facts.has_value() ? static_cast<long>(facts.value().errors.size()) : -1L)
              << std::endl;
  }
  return 0;
}
