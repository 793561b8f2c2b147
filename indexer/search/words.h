// Bytes, blanks and words of source text, for what is read without a parser.
#pragma once

#include <cstddef>
#include <string_view>

namespace ambit::indexer {

// Letters, digits, _ and what is no ASCII.
inline bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
// The same and $, which is a letter in Java and JavaScript.
inline bool is_name_byte(char c) {
  return is_word_byte(c) || c == '$';
}
inline bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
// Behind the blanks at `at`.
inline std::size_t skip_blanks(std::string_view s, std::size_t at) {
  while (at < s.size() && is_blank(s[at])) ++at;
  return at;
}
// The word that begins at `at`, maybe empty.
inline std::string_view word_at(std::string_view s, std::size_t at) {
  auto end = at;
  while (end < s.size() && is_word_byte(s[end])) ++end;
  return s.substr(at, end - at);
}
inline std::string_view name_at(std::string_view s, std::size_t at) {
  auto end = at;
  while (end < s.size() && is_name_byte(s[end])) ++end;
  return s.substr(at, end - at);
}

}  // namespace ambit::indexer
