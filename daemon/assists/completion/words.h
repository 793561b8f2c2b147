// Words of code, by bytes: letters, digits, '_' and everything beyond ASCII.
#pragma once

#include <string_view>

namespace ambit::daemon {

[[nodiscard]] constexpr bool word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Does the word stand in the text, whole?
[[nodiscard]] constexpr bool has_word(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at == 0 || !word_byte(text[at - 1])) && (end == text.size() || !word_byte(text[end]))) {
      return true;
    }
  }
  return false;
}

}  // namespace ambit::daemon
