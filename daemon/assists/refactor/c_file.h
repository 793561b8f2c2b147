// A file of C or C++ as moves look at it: its facts and its tree, and where things go in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/assists/refactor/imports.h"
#include "indexer/syntax/extract.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

struct CFile {
  std::string path, text;
  indexer::Facts facts;
  std::optional<indexer::SyntaxTree> tree;
  [[nodiscard]] std::string_view slice(indexer::ByteSpan s) const {
    return std::string_view(text).substr(s.begin, s.size());
  }
  [[nodiscard]] std::uint32_t line_of(std::size_t at) const {
    return static_cast<std::uint32_t>(
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  }
};
[[nodiscard]] Result<CFile> load_c_file(const indexer::Snapshot& snapshot, const std::string& path);

// kInvalidArgument at a line (0-based) of a file.
[[nodiscard]] Error refusal(const std::string& path, std::uint32_t line, const std::string& why);
[[nodiscard]] bool inside(indexer::ByteSpan inner, indexer::ByteSpan outer);

// #include lines with these words, and where they go: behind the last one before anything is
// declared, else behind what the file begins with.
struct Insertion {
  std::uint32_t at = 0;
  std::string text;
};
[[nodiscard]] Insertion include_lines(const CFile& file, const std::vector<std::string>& words);

// Where the last namespace of these names ends, outermost first.
[[nodiscard]] std::optional<std::uint32_t> end_of_namespace(
    const CFile& file, const std::vector<std::string>& namespaces);
// The named namespaces around a node, outermost first.
[[nodiscard]] std::vector<std::string> namespaces_around(const CFile& file, std::uint32_t node);

}  // namespace ambit::daemon
