// Who names which file: #include, import and require, followed to files of the repository, and
// written anew when files move. C and C++, Python, JavaScript and TypeScript.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/edits.h"
#include "daemon/assists/refactor/plan.h"
#include "indexer/index.h"

namespace ambit::daemon {

class Imports {
 public:
  explicit Imports(const indexer::Snapshot& snapshot);

  // The file (in Python also the folder of a package) that `words` mean in `importer`, as written:
  // quotes and brackets included. nullopt: none of this repository, or more than one could be.
  [[nodiscard]] std::optional<std::string> target(const std::string& importer,
                                                  std::string_view words) const;
  // The words that mean `target` in `importer`, in the style of `words`, which mean `old_target` in
  // `old_importer`. kInvalidArgument when this style cannot say it.
  [[nodiscard]] Result<std::string> words_for(const std::string& old_importer,
                                              const std::string& old_target, std::string_view words,
                                              const std::string& importer,
                                              const std::string& target) const;
  // "a.b" for Python's a/b.py, from the folder that is the root of its package.
  [[nodiscard]] std::string python_module(const std::string& path) const;

 private:
  [[nodiscard]] bool exists(const std::string& path) const { return paths_.contains(path); }
  [[nodiscard]] std::string python_root(const std::string& path) const;
  [[nodiscard]] std::optional<std::string> python_target(const std::string& importer,
                                                         std::string_view words) const;
  [[nodiscard]] std::optional<std::string> script_target(const std::string& importer,
                                                         std::string_view words) const;
  [[nodiscard]] std::optional<std::string> include_target(const std::string& importer,
                                                          std::string_view words) const;
  std::set<std::string> paths_, folders_;
  std::multimap<std::string, std::string> by_base_;  // "b.h" -> "a/b.h"
};

// "a/b/../c" -> "a/c"; nullopt above the root.
[[nodiscard]] std::optional<std::string> normal_path(std::string_view path);
[[nodiscard]] std::string folder_of_path(std::string_view path);  // "a/" of "a/b", "" of "b"
[[nodiscard]] PlanSite site_of_offset(std::string_view text, std::size_t offset);

}  // namespace ambit::daemon
