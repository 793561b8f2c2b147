// Where in a repository's names and paths to look for what a cursor asks for, so that no question
// walks over all of them. Made anew from the graph's tables when these change; not thread-safe
// while it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ambit::indexer::context {

using NameId = std::uint32_t;
using FileNumber = std::uint32_t;

class Lookup {
 public:
  // `paths` sorted; `names` only grow from call to call.
  void update(const std::vector<std::string>& paths, const std::vector<const std::string*>& names);

  // The names that begin so, ascending by their first bytes; none for fewer than two bytes, which
  // tell nothing.
  [[nodiscard]] std::vector<NameId> names_from(std::string_view beginning,
                                               const std::vector<const std::string*>& names) const;

  // Files that go by this name: "foo" finds a/foo.cpp, b/foo.test.js and foo/__init__.py.
  // Ascending.
  [[nodiscard]] std::vector<FileNumber> files_called(std::string_view stem,
                                                     const std::vector<std::string>& paths) const;

  // Folders that hold files, in no order that means something.
  [[nodiscard]] const std::vector<std::string>& folders() const { return folders_; }
  [[nodiscard]] std::uint32_t folder_of(FileNumber file) const { return folder_of_[file]; }

 private:
  std::vector<std::uint64_t> by_beginning_;  // first four bytes, then the name's id; ascending
  std::vector<std::pair<std::uint64_t, FileNumber>> by_stem_;  // hash of the stem; ascending
  std::vector<std::string> folders_;
  std::vector<std::uint32_t> folder_of_;  // [files]
};

// "a/b" of "a/b/c.x", "" of "c.x".
[[nodiscard]] std::string_view folder(std::string_view path);
// "c" of "a/b/c.test.x"; of an import's text too ("a\\b\\c", "a::b::c").
[[nodiscard]] std::string_view stem(std::string_view path);
// How near two folders are in the tree: those in common from the root over the longer depth; 1 of
// the same.
[[nodiscard]] float closeness(std::string_view folder, std::string_view other);

}  // namespace ambit::indexer::context
