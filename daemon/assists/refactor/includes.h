// Who includes whom in C and C++, as far as the words of #include lines tell. Used by moves; looked
// up once per file.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/assists/refactor/imports.h"

namespace ambit::daemon {

struct Include {
  indexer::ByteSpan line;             // with its line end
  std::string words;                  // "a.h" or <a.h>, as written
  std::optional<std::string> target;  // the file of the repository
  bool conditional = false;           // inside of #if, the guard of a header not counted
};

// The #include lines of a text that `path` would have.
[[nodiscard]] std::vector<Include> includes_in(const Imports& imports, const std::string& path,
                                               std::string_view text);
// "#ifndef X" and "#define X" before everything else; where the last #endif begins. nullopt for
// texts without such a guard.
[[nodiscard]] std::optional<std::uint32_t> end_of_guard(std::string_view text);
[[nodiscard]] bool is_header(std::string_view path);

class IncludeGraph {
 public:
  IncludeGraph(const indexer::Snapshot& snapshot, const Imports& imports)
      : snapshot_(snapshot), imports_(imports) {}
  [[nodiscard]] const std::vector<Include>& of(const std::string& path);
  // The file and everything that it includes, to any depth; sure: outside of #if alone.
  [[nodiscard]] const std::set<std::string>& closure(const std::string& path, bool sure = false);
  // Words of includes in its sure closure that name no file of the repository: <vector>.
  [[nodiscard]] std::set<std::string> foreign(const std::string& path);

 private:
  const indexer::Snapshot& snapshot_;
  const Imports& imports_;
  std::map<std::string, std::vector<Include>> direct_;
  std::map<std::string, std::set<std::string>> any_, sure_;
};

}  // namespace ambit::daemon
