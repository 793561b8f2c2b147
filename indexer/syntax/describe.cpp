#include "indexer/syntax/describe.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "indexer/syntax/grammars.h"

namespace ambit::indexer {
namespace {

// Package and version as grammars/package.json pins them, written at configuration.
constexpr std::pair<std::string_view, std::string_view> kVersions[] = {
#include "grammar_versions.inc"
};

}  // namespace

std::vector<LanguageDescription> describe_languages() {
  std::vector<LanguageDescription> out;
  for (const auto& info : all_languages()) {
    const auto* grammar = grammar_of(info.language);
    if (grammar == nullptr) continue;
    LanguageDescription one;
    one.info = &info;
    for (const auto& [package, version] : kVersions) {
      if (package == info.package) one.version = version;
    }
    for (const auto& pattern : grammar->patterns) {
      if (pattern.meaning == Meaning::kReference) one.references = true;
      if (pattern.meaning == Meaning::kDefinition) one.kinds.push_back(pattern.kind);
    }
    std::sort(one.kinds.begin(), one.kinds.end());
    one.kinds.erase(std::unique(one.kinds.begin(), one.kinds.end()), one.kinds.end());
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace ambit::indexer
