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

// What the files of the repository include or import, looked up once per file.
class Visibility {
 public:
  Visibility(const indexer::Snapshot& snapshot, const RenameGroup& group);
  // 2: includes or imports a file that defines the symbol (or is one); 1: cannot be told; 0: no.
  [[nodiscard]] int of(const ParsedFile& file);

 private:
  [[nodiscard]] bool reaches(const std::string& path);
  [[nodiscard]] const std::vector<std::string>& includes_of(const std::string& path);
  const indexer::Snapshot& snapshot_;
  const RenameGroup& group_;
  std::set<std::string> targets_;
  std::map<std::string, std::vector<std::string>> by_name_;  // base name -> paths
  std::map<std::string, std::vector<std::string>> includes_;
  std::map<std::string, bool> reaches_;
};

[[nodiscard]] std::vector<RenameSite> find_sites(const indexer::Snapshot& snapshot,
                                                 const ParsedFile& file, const RenameGroup& group,
                                                 Visibility& visibility);

[[nodiscard]] bool word_byte(char c);
// The name of a class that a scope ends with: "a::b" -> "b".
[[nodiscard]] std::string last_name(std::string_view scope);

}  // namespace ambit::daemon
