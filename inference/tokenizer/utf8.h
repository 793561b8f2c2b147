// UTF-8, one character at a time, from bytes that may be anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ambit::inference {

struct Utf8Char {
  enum class State : std::uint8_t { kValid, kBroken, kCut };
  std::uint32_t code_point = 0;  // when kValid
  std::uint32_t length = 0;      // bytes; for kBroken the maximal ill-formed part, at least 1
  State state = State::kBroken;  // kCut: well-formed so far, but the text ends inside it
};

// The character at the start of text, which is not empty (The Unicode Standard, table 3-7).
[[nodiscard]] inline Utf8Char decode_utf8(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint32_t b0 = at(0);
  if (b0 < 0x80) return {b0, 1, Utf8Char::State::kValid};
  std::uint32_t need = 0;
  std::uint32_t low = 0x80;
  std::uint32_t high = 0xBF;
  std::uint32_t cp = 0;
  if (b0 >= 0xC2 && b0 <= 0xDF) {
    need = 1;
    cp = b0 & 0x1F;
  } else if (b0 >= 0xE0 && b0 <= 0xEF) {
    need = 2;
    cp = b0 & 0x0F;
    if (b0 == 0xE0) low = 0xA0;
    if (b0 == 0xED) high = 0x9F;  // no surrogates
  } else if (b0 >= 0xF0 && b0 <= 0xF4) {
    need = 3;
    cp = b0 & 0x07;
    if (b0 == 0xF0) low = 0x90;
    if (b0 == 0xF4) high = 0x8F;  // nothing above U+10FFFF
  } else {
    return {0, 1, Utf8Char::State::kBroken};
  }
  for (std::uint32_t i = 1; i <= need; ++i) {
    if (i == text.size()) return {0, i, Utf8Char::State::kCut};
    const std::uint32_t b = at(i);
    if (b < low || b > high) return {0, i, Utf8Char::State::kBroken};
    low = 0x80;
    high = 0xBF;
    cp = (cp << 6) | (b & 0x3F);
  }
  return {cp, need + 1, Utf8Char::State::kValid};
}

inline void append_utf8(std::string& out, std::uint32_t cp) {
  const auto put = [&](std::uint32_t b) { out.push_back(static_cast<char>(b)); };
  if (cp < 0x80) {
    put(cp);
  } else if (cp < 0x800) {
    put(0xC0 | (cp >> 6));
    put(0x80 | (cp & 0x3F));
  } else if (cp < 0x10000) {
    put(0xE0 | (cp >> 12));
    put(0x80 | ((cp >> 6) & 0x3F));
    put(0x80 | (cp & 0x3F));
  } else {
    put(0xF0 | (cp >> 18));
    put(0x80 | ((cp >> 12) & 0x3F));
    put(0x80 | ((cp >> 6) & 0x3F));
    put(0x80 | (cp & 0x3F));
  }
}

// Moves the text that is certain out of pending: whole characters, and U+FFFD for each maximal
// ill-formed part. A character that is only cut stays, unless `final`.
[[nodiscard]] inline std::string take_certain_text(std::string& pending, bool final) {
  std::string out;
  std::string_view rest = pending;
  while (!rest.empty()) {
    const Utf8Char c = decode_utf8(rest);
    if (c.state == Utf8Char::State::kCut && !final) break;
    if (c.state == Utf8Char::State::kValid) {
      out.append(rest.substr(0, c.length));
    } else {
      out.append("\xEF\xBF\xBD");
    }
    rest.remove_prefix(c.length);
  }
  pending.erase(0, pending.size() - rest.size());
  return out;
}

}  // namespace ambit::inference
