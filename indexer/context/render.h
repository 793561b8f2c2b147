// The words of a pack's spans. The format is docs/decisions/0001-prompt-text.md; nothing here
// chooses.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/index.h"

namespace ambit::indexer::context {

// "Repository NAME.\n\n"
[[nodiscard]] std::string render_preamble(std::string_view repository);

// One line a directory with the names of its files, sorted: "src/net: acceptor.cpp acceptor.h".
// Files that .ambitignore or their names keep out are not named. Directories beyond max_bytes are
// counted in a last line.
[[nodiscard]] std::string render_map(const std::vector<FileInfo>& files, std::size_t max_bytes);

// "### path\n" or "### path:first-last\n" (0-based lines in, 1-based out), the text with LF line
// ends and exactly one newline at its end, one blank line.
[[nodiscard]] std::string render_file(std::string_view path, std::string_view text);
[[nodiscard]] std::string render_lines(std::string_view path, std::uint32_t first,
                                       std::uint32_t last, std::string_view text);

// Signatures and first doc lines, nested by containment. `chosen` are indices into symbols (empty:
// all that an outline shows); enclosing definitions are added so that a method stands in its class.
// `text` (may be empty) gives short type bodies in full when `bodies` is set.
struct OutlineOptions {
  bool docs = true;
  bool bodies = false;  // types of at most max_body_lines are given in full
  std::uint32_t max_body_lines = 24;
  // Docs and bodies for these only; null: for all.
  const std::set<std::uint32_t>* rich = nullptr;
};
[[nodiscard]] std::string render_outline(std::string_view path, const std::vector<Symbol>& symbols,
                                         const std::vector<std::uint32_t>& chosen,
                                         std::string_view text, const OutlineOptions& options);

// The types and namespaces around symbol i, which an outline of it shows too.
[[nodiscard]] std::vector<std::uint32_t> enclosing(const std::vector<Symbol>& symbols,
                                                   std::uint32_t i);

// What an outline shows by default: not locals, labels, sections or parameters.
[[nodiscard]] bool in_outline(const Symbol& symbol);

// Lines [first, last] of text, 0-based, inclusive, without the last newline.
[[nodiscard]] std::string_view lines_of(std::string_view text, std::uint32_t first,
                                        std::uint32_t last);

// Line ranges of `now` that differ from `before` ([first, last], 0-based, inclusive), ascending,
// with ranges closer than `join` lines merged. A pure deletion gives the line after it (clamped).
struct LineRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};
[[nodiscard]] std::vector<LineRange> changed_lines(std::string_view before, std::string_view now,
                                                   std::uint32_t join = 4);

}  // namespace ambit::indexer::context
