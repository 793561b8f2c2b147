#include "indexer/encoding.h"

#include <cstdint>

namespace ambit::indexer {
namespace {

void append(std::uint32_t c, std::string& out) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | c >> 6));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | c >> 12));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | c >> 18));
    out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
}

}  // namespace

bool is_utf16(std::string_view content) {
  return content.starts_with("\xFF\xFE") || content.starts_with("\xFE\xFF");
}

std::string utf8_of_utf16(std::string_view content) {
  constexpr std::uint32_t kReplacement = 0xFFFD;
  std::string out;
  if (!is_utf16(content)) return out;
  out.reserve(content.size() / 2 + 16);
  const bool big = content[0] == '\xFE';
  const auto unit = [&](std::size_t at) {
    const auto a = static_cast<unsigned char>(content[at]);
    const auto b = static_cast<unsigned char>(content[at + 1]);
    return static_cast<std::uint32_t>(big ? a << 8 | b : b << 8 | a);
  };
  std::size_t at = 2;
  for (; at + 1 < content.size(); at += 2) {
    const auto u = unit(at);
    if (u < 0xD800 || u > 0xDFFF) {
      append(u, out);
      continue;
    }
    const auto low = u < 0xDC00 && at + 3 < content.size() ? unit(at + 2) : 0;
    if (low >= 0xDC00 && low <= 0xDFFF) {
      append(0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00), out);
      at += 2;
    } else {
      append(kReplacement, out);
    }
  }
  if (at < content.size()) append(kReplacement, out);
  return out;
}

}  // namespace ambit::indexer
