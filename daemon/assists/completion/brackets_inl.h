#pragma once

#include "daemon/assists/completion/brackets.h"

namespace ambit::daemon {

namespace brackets_detail {

inline constexpr std::size_t kAnyLength = 4096;
inline constexpr std::size_t kCharLiteral = 11;  // '\u{10FFFF}'

// The position after a quoted string that starts at `begin`. When it does not end on its line the
// quote is an apostrophe: begin + 1. A string that reaches the end of the text is still being
// written, so all of it is string; a literal of one character is not given that credit.
inline std::size_t skip_quoted(std::string_view text, std::size_t begin, std::size_t longest) {
  const char quote = text[begin];
  std::size_t i = begin + 1;
  for (; i < text.size() && i - begin <= longest; ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    } else if (text[i] == '\n') {
      break;
    }
  }
  return i >= text.size() && longest > kCharLiteral ? text.size() : begin + 1;
}

inline std::size_t skip_until(std::string_view text, std::size_t from, std::string_view end) {
  const auto found = text.find(end, from);
  return found == std::string_view::npos ? text.size() : found + end.size();
}

}  // namespace brackets_detail

// Besides, unended(position) for a comment or a string of several lines that the text ends in.
template <class Visit, class Unended>
void scan_brackets(std::string_view text, const LexicalRules& rules, Visit visit, Unended unended) {
  using brackets_detail::kAnyLength;
  using brackets_detail::kCharLiteral;
  using brackets_detail::skip_quoted;
  using brackets_detail::skip_until;
  if (!rules.brackets) return;
  std::size_t i = 0;
  const auto skip_comment = [&](std::size_t from, std::string_view end) {
    if (text.find(end, from) == std::string_view::npos) unended(i);
    return skip_until(text, from, end);
  };
  while (i < text.size()) {
    const char c = text[i];
    const auto rest = text.substr(i);
    if (rules.slash_comments && rest.starts_with("//")) {
      i = skip_comment(i, "\n");
    } else if (rules.slash_comments && rest.starts_with("/*")) {
      i = skip_comment(i + 2, "*/");
    } else if ((rules.hash_comments && c == '#') ||
               (rules.dash_comments && rest.starts_with("--"))) {
      i = skip_comment(i, "\n");
    } else if (rules.triple_quotes && (rest.starts_with("\"\"\"") || rest.starts_with("'''"))) {
      i = skip_comment(i + 3, rest.substr(0, 3));
    } else if (c == '"') {
      i = skip_quoted(text, i, kAnyLength);
    } else if (c == '\'' && rules.single_quotes) {
      i = skip_quoted(text, i, kAnyLength);
    } else if (c == '\'' && rules.char_literals) {
      i = skip_quoted(text, i, kCharLiteral);
    } else if (c == '`' && rules.backticks) {
      i = skip_until(text, i + 1, "`");
    } else {
      if ((c == '(' || c == '[' || c == '{' || is_closer(c)) && !visit(i, c)) return;
      ++i;
    }
  }
}

template <class Visit>
void for_each_bracket(std::string_view text, const LexicalRules& rules, Visit visit) {
  scan_brackets(text, rules, visit, [](std::size_t) {});
}

}  // namespace ambit::daemon
