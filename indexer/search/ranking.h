// How likely a definition is what a use of its name means: scope, imports, kinds, distance, types
// of receivers and arguments where the syntax tells them.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/search/imports.h"
#include "indexer/search/overloads.h"
#include "indexer/search/receiver.h"
#include "indexer/search/snapshot.h"

namespace ambit::indexer {

// A name in a text, and what stands around it.
struct Use {
  std::string_view path, text, name;
  Language language{};
  std::size_t begin = 0, end = 0;
  std::string_view before;     // the text before the name
  std::string_view qualifier;  // the word before ".", "->" or "::"
  bool member = false;         // behind "." or "->"
  bool makes = false;          // new Name(…)
  ReferenceKind kind = ReferenceKind::kOther;
  std::vector<std::string> types;    // the receiver's and its bases', nearest first
  std::vector<std::string> scopes;   // enclosing ones, with their outer names
  std::vector<std::string> classes;  // whose members need no receiver: enclosing ones and bases
  std::set<std::string> keys;        // of the object literal in which the name is a key
  std::vector<ImportedModule> modules;
};

struct Ranked {
  double score = 0;
  std::size_t index = 0;  // among the definitions that were ranked
  int family = 0;         // family_of its language
};

// Best first.
[[nodiscard]] std::vector<Ranked> rank(const SnapshotImpl& snapshot, const Receivers& receivers,
                                       const Use& use, const std::vector<Symbol>& found);

}  // namespace ambit::indexer
