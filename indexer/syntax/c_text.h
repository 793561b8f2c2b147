// Stepping over the bytes of C and C++ without a parser. Every function takes a place in the text
// and gives the place behind.
#pragma once

#include <cstddef>
#include <string_view>

namespace ambit::indexer {

inline bool word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
inline bool word_byte(char c) {
  return word_start(c) || (c >= '0' && c <= '9');
}
inline std::size_t word_end(std::string_view text, std::size_t at) {
  while (at < text.size() && word_byte(text[at])) ++at;
  return at;
}

// Steps over the comment that begins at `at`; false, and nothing moved, when none does.
bool skip_comment(std::string_view text, std::size_t& at);
// Behind the string or character at `at`, a raw string too; at the end of its line when it does not
// close there.
[[nodiscard]] std::size_t skip_string(std::string_view text, std::size_t at);
// Behind blanks, line ends and comments.
[[nodiscard]] std::size_t skip_space(std::string_view text, std::size_t at);
// Behind the parentheses that open at `at`; npos when they do not close within 512 bytes.
[[nodiscard]] std::size_t skip_arguments(std::string_view text, std::size_t at);
// Behind the #endif of the conditional that is open at `at`.
[[nodiscard]] std::size_t end_of_conditional(std::string_view text, std::size_t at);

}  // namespace ambit::indexer
