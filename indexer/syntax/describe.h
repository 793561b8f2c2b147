// The languages for people: which grammar reads each, and what its rules take out.
#pragma once

#include <string>
#include <vector>

#include "indexer/syntax/languages.h"

namespace ambit::indexer {

struct LanguageDescription {
  const LanguageInfo* info = nullptr;
  std::string version;            // of the grammar's package
  std::vector<SymbolKind> kinds;  // of the definitions that the rules find, in the enum's order
  bool references = false;
};

// All with a grammar, in the order of the table. Compiles every grammar's rules: some milliseconds.
[[nodiscard]] std::vector<LanguageDescription> describe_languages();

}  // namespace ambit::indexer
