// What the files of a repository include or import, looked up once per file. Inside the rename
// only.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/assists/refactor/rename_sites.h"
#include "indexer/index.h"

namespace ambit::daemon {

class Visibility {
 public:
  Visibility(const indexer::Snapshot& snapshot, const RenameGroup& group);
  // 2: includes or imports a file that defines the symbol (or is one); 1: cannot be told; 0: no.
  [[nodiscard]] int of(const ParsedFile& file);

 private:
  [[nodiscard]] bool reaches(const std::string& path);
  [[nodiscard]] bool read_where_seen(const std::string& path);
  [[nodiscard]] const std::vector<std::string>& includes_of(const std::string& path);
  const indexer::Snapshot& snapshot_;
  const RenameGroup& group_;
  std::set<std::string> targets_;
  std::map<std::string, std::vector<std::string>> by_name_;  // base name -> paths
  std::map<std::string, std::vector<std::string>> includes_;
  std::map<std::string, bool> reaches_;
};

// 1: an import that brings this qualifier names the symbol's module; 0: it names another one;
// -1: nothing says.
[[nodiscard]] int module_fits(const ParsedFile& file, const std::string& qualifier,
                              const RenameGroup& group);

}  // namespace ambit::daemon
