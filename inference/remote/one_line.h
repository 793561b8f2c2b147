// A stranger's words, fit to stand in a message.
#pragma once

#include <string>
#include <string_view>

namespace ambit::inference::remote {

// Without control characters, and not longer than 300 bytes: no character of UTF-8 is cut in half.
[[nodiscard]] inline std::string one_line(std::string_view text) {
  constexpr std::size_t kMost = 300;
  const auto goes_on = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
  std::size_t end = text.size();
  if (end > kMost) {
    end = kMost;
    while (end > 0 && goes_on(text[end])) --end;
  }
  std::string out(text.substr(0, end));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return out;
}

}  // namespace ambit::inference::remote
