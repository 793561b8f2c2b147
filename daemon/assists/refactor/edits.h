// Text edits on a known text, and what they make of it. Whoever proposes an edit (the index, a
// model, a person who edited a plan) goes through here: ranges, overlap and syntax are checked
// before anything is shown or written.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "indexer/syntax/languages.h"
#include "indexer/types.h"

namespace ambit::daemon {

// Replaces bytes [span.begin, span.end) of the original text.
struct TextEdit {
  indexer::ByteSpan span;
  std::string text;
  std::uint32_t step = 0;  // of the plan, for messages and for dropping a step
  friend bool operator==(const TextEdit&, const TextEdit&) = default;
};

// All edits refer to the original text and may come in any order; sorts them. kInvalidArgument when
// one leaves the text, cuts a UTF-8 sequence, two of them overlap, or two insert at the same place.
[[nodiscard]] Result<std::string> apply_edits(std::string_view text, std::vector<TextEdit>& edits);

// The line end that a text uses, for text that is written into it: "\r\n" or "\n".
[[nodiscard]] std::string_view line_end_of(std::string_view text);
// `text` with every line end replaced by `line_end`.
[[nodiscard]] std::string with_line_ends(std::string_view text, std::string_view line_end);

// How many places of a text its grammar does not understand (bounded by the extractor); 0 for a
// language without a grammar.
[[nodiscard]] std::size_t syntax_errors(indexer::Language language, std::string_view text);

// One file before and after. nullopt: it does not exist on that side.
struct FileChange {
  std::string path;  // relative to the root
  std::optional<std::string> before, after;
  unsigned mode = 0644;  // of a file that is created; an existing one keeps its own
  std::string like =
      {};  // a created file takes mode, owner and attributes of this one, "" for none
};

// What a refactor does to the tree, by path.
using ChangeSet = std::map<std::string, FileChange>;

// kInvalidArgument with the file's name when a file has more syntax errors after than before.
[[nodiscard]] Result<void> check_syntax(const FileChange& change);

// A unified diff over all files, as `git apply` takes it.
[[nodiscard]] Result<std::string> unified_diff_of(const ChangeSet& changes);

// kPermission unless `path` is relative, '/' separated, without "." or ".." or empty parts, NUL or
// line breaks, and not below a .git folder. Says nothing about links: WorkTree does.
[[nodiscard]] Result<void> check_path(std::string_view path);

}  // namespace ambit::daemon
