// Which of the places where a name stands in one file mean the symbol. Inside the rename only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/assists/refactor/rename.h"
#include "indexer/syntax/extract.h"

namespace ambit::daemon {

// One file, parsed once.
struct ParsedFile {
  std::string path, text;
  indexer::Language language = indexer::Language::kNone;
  indexer::BlobId blob;
  indexer::Facts facts;
};

// The symbol: its definitions, and what is known around them.
struct RenameGroup {
  std::string name;
  std::vector<indexer::Symbol> definitions;
  std::set<std::string> owners;  // names of the classes that have the member, and their relatives
  bool member = false;           // a field, method …: reached through an object
  bool type = false;
  bool file_local = false;  // cannot be seen from another file
  bool only = true;         // no other symbol of the repository has this name
  indexer::Language language = indexer::Language::kNone;
  std::optional<indexer::Local> local;  // a variable of a function, in definitions[0].path
};

class Visibility;

[[nodiscard]] std::vector<RenameSite> find_sites(const indexer::Snapshot& snapshot,
                                                 const ParsedFile& file, const RenameGroup& group,
                                                 Visibility& visibility);

}  // namespace ambit::daemon
