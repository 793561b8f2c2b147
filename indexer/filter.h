// Which files enter the index and the prompt, and why not: ignore files, attributes, and a look at
// the first bytes. Every refusal has a name that `ambit index status` shows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/file_class.h"

namespace ambit::indexer {

// A .gitignore-like file: patterns with !, /, *, ?, [..], ** and a trailing / for folders. The last
// pattern that matches wins. Paths are relative to the folder of the file. .ambitignore uses it.
class IgnoreRules {
 public:
  // Adds the lines of one file; base: the folder it stands in, relative to the root, "" at the
  // root.
  void add(std::string_view text, std::string_view base = {});
  // Also true when a parent folder is ignored (what is inside cannot be brought back, as in git).
  [[nodiscard]] bool ignored(std::string_view path, bool is_directory = false) const;
  [[nodiscard]] bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    std::string base, pattern;
    bool negated = false, directory_only = false, anchored = false;
  };
  [[nodiscard]] bool match_one(std::string_view path, bool is_directory) const;
  std::vector<Rule> rules_;
};

// One path against one gitignore pattern without its leading ! and trailing /: * and ? stop at '/',
// ** does not. Linear in practice, bounded in any case.
[[nodiscard]] bool wildcard_match(std::string_view pattern, std::string_view text);

// Attributes that linguist and git archive define: linguist-generated, linguist-vendored,
// export-ignore, binary, filter=lfs.
class Attributes {
 public:
  void add(std::string_view text, std::string_view base = {});
  [[nodiscard]] bool is_set(std::string_view path, std::string_view attribute) const;
  [[nodiscard]] bool empty() const { return lines_.empty(); }

 private:
  struct Line {
    std::string base, pattern;
    std::vector<std::string> attributes;
  };
  std::vector<Line> lines_;
};

// content: the file, or its first 64 KiB; bytes: its whole size.
[[nodiscard]] FileClass classify(std::string_view path, std::string_view content,
                                 std::uint64_t bytes, std::uint64_t max_file_bytes);
// By the path alone; kSource when only the content can tell.
[[nodiscard]] FileClass classify_path(std::string_view path);
// Symbols and text are searchable (true for kSource, kGenerated, kVendored, kRegisters, …).
[[nodiscard]] bool is_indexed(FileClass c);
// Worth a place in a prompt.
[[nodiscard]] bool is_packable(FileClass c);

}  // namespace ambit::indexer
