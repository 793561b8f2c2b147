// A lexer for brackets that knows just enough of a language to skip strings and comments. It works
// on any slice of a file and never fails: what it cannot tell it takes as plain text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ambit::daemon {

struct LexicalRules {
  bool slash_comments = false;   // // and /* */
  bool hash_comments = false;    // #
  bool dash_comments = false;    // --
  bool single_quotes = false;    // '…' is a string of any length
  bool char_literals = false;    // '…' is one character (or a lifetime, which is not a string)
  bool backticks = false;        // `…` may span lines
  bool triple_quotes = false;    // """…""" may span lines
  bool brackets = true;          // false for prose: no bracket has a meaning
  bool indented_blocks = false;  // blocks by indentation after ':'
};

// By the extension of the path.
[[nodiscard]] LexicalRules lexical_rules(std::string_view path);

// The brackets of a text that have no partner in it: closers first, then openers, as in ")]{(".
struct BracketBalance {
  std::string closers;  // in the order of the text
  std::string openers;
};
[[nodiscard]] BracketBalance bracket_balance(std::string_view text, const LexicalRules& rules);

// Prose that goes on at the end of a text: a comment, or a string of several lines.
struct OpenComment {
  std::string mark;     // that begins it: "//", "/*"
  std::string openers;  // brackets in it that are not closed yet
  bool one_line = false;
};
[[nodiscard]] std::optional<OpenComment> comment_at_end(std::string_view text,
                                                        const LexicalRules& rules);
// The first closer in prose that closes nothing; `openers`: what is open where it begins. "2)" and
// ":)" are as people write. npos: none.
[[nodiscard]] std::size_t surplus_in_prose(std::string_view prose, std::string& openers);

[[nodiscard]] constexpr char closer_of(char opener) {
  return opener == '(' ? ')' : opener == '[' ? ']' : opener == '{' ? '}' : '\0';
}
[[nodiscard]] constexpr bool is_closer(char c) {
  return c == ')' || c == ']' || c == '}';
}

// Calls visit(position, bracket) for every bracket outside strings and comments, until it returns
// false.
template <class Visit>
void for_each_bracket(std::string_view text, const LexicalRules& rules, Visit visit);

}  // namespace ambit::daemon

#include "daemon/assists/completion/brackets_inl.h"
