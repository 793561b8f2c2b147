// What a definition of C or C++ needs where it goes: which names it uses, and what of the old
// file's surroundings gives them a meaning.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/assists/refactor/c_file.h"
#include "daemon/assists/refactor/includes.h"

namespace ambit::daemon {

struct CNeeds {
  std::map<std::string, std::string> files;  // to be included -> how the old file names it
  std::vector<std::string> foreign;          // words of includes from outside of the repository
  std::string announced;                     // "class x;" lines of the old file that go along
};

// A definition on its way.
struct CMove {
  const indexer::Symbol& symbol;
  const std::string& to;
  bool header = false;  // from a header to a header
  const SourceFile& from;
  const SourceFile* target = nullptr;  // null: a new file
  const indexer::Definition& definition;
  indexer::ByteSpan span;               // its lines in `from`
  std::vector<std::string> namespaces;  // around it, outermost first
};

// kInvalidArgument, with the place, for what the new home could not see.
[[nodiscard]] Result<CNeeds> needs_of(const indexer::Snapshot& snapshot, IncludeGraph& graph,
                                      const CMove& move);

}  // namespace ambit::daemon
