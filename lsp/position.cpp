#include "lsp/position.h"

#include <algorithm>

namespace ambit::lsp {
namespace {

// The start of the line after the break at `at` (text[at] is \n or \r).
std::size_t after_break(std::string_view text, std::size_t at) {
  return text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n' ? at + 2 : at + 1;
}

// Appends the start of every line whose break lies in [from, to).
void scan(std::string_view text, std::size_t from, std::size_t to,
          std::vector<std::size_t>& starts) {
  for (std::size_t at = from; at < to;) {
    if (text[at] == '\n' || text[at] == '\r') {
      at = after_break(text, at);
      starts.push_back(at);
    } else {
      ++at;
    }
  }
}

}  // namespace

std::string_view to_string(PositionEncoding encoding) {
  switch (encoding) {
    case PositionEncoding::kUtf8:
      return "utf-8";
    case PositionEncoding::kUtf16:
      return "utf-16";
    case PositionEncoding::kUtf32:
      return "utf-32";
  }
  return "utf-16";
}

// Ranges of the second byte: table 3-7 of the Unicode standard. They shut out overlong forms,
// surrogates and values above U+10FFFF.
Character character_at(std::string_view text, std::size_t at, PositionEncoding encoding) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at);
  std::size_t length = 1;
  bool valid = true;
  if (lead >= 0x80) {
    const std::size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4) {
      valid = false;
    } else {
      unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
      unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
      while (length < want && at + length < text.size() && byte(at + length) >= low &&
             byte(at + length) <= high) {
        ++length;
        low = 0x80;
        high = 0xBF;
      }
      valid = length == want;
    }
  }
  switch (encoding) {
    case PositionEncoding::kUtf8:
      return {length, static_cast<std::uint32_t>(length)};
    case PositionEncoding::kUtf16:
      return {length, valid && length == 4 ? 2U : 1U};
    case PositionEncoding::kUtf32:
      return {length, 1};
  }
  return {length, 1};
}

LineTable::LineTable(std::string_view text) : starts_{0} {
  scan(text, 0, text.size(), starts_);
}

std::size_t LineTable::line_end(std::string_view text, std::size_t line) const {
  std::size_t end = line + 1 < starts_.size() ? starts_[line + 1] : text.size();
  if (line + 1 == starts_.size()) return end;
  const std::size_t start = starts_[line];
  if (end > start && text[end - 1] == '\n') --end;
  if (end > start && text[end - 1] == '\r') --end;
  return end;
}

std::size_t LineTable::offset_at(std::string_view text, LineColumn position,
                                 PositionEncoding encoding) const {
  if (position.line >= starts_.size()) return text.size();
  std::size_t at = starts_[position.line];
  const std::string_view line = text.substr(0, line_end(text, position.line));
  std::uint64_t units = 0;
  while (at < line.size()) {
    const Character c = character_at(line, at, encoding);
    units += c.units;
    if (units > position.character) break;
    at += c.bytes;
  }
  return at;
}

LineColumn LineTable::position_at(std::string_view text, std::size_t offset,
                                  PositionEncoding encoding) const {
  offset = std::min(offset, text.size());
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
  const auto line = static_cast<std::size_t>(after - starts_.begin()) - 1;
  const std::string_view content = text.substr(0, line_end(text, line));
  LineColumn out{static_cast<std::uint32_t>(line), 0};
  for (std::size_t at = starts_[line]; at < content.size();) {
    const Character c = character_at(content, at, encoding);
    if (at + c.bytes > offset) break;
    at += c.bytes;
    out.character += c.units;
  }
  return out;
}

void LineTable::edit(std::string_view text, std::size_t begin, std::size_t end,
                     std::size_t inserted) {
  // A break that ends right at `begin` may be a \r that now pairs with an inserted \n, and one that
  // started inside the edit may pair with the byte after it: rescan from the line before `begin` to
  // one byte past the inserted text, and keep only the starts beyond that.
  auto first = std::lower_bound(starts_.begin(), starts_.end(), begin);
  if (first != starts_.begin()) --first;
  const std::size_t from = *first;
  const auto last = std::upper_bound(starts_.begin(), starts_.end(), end + 1);
  const std::size_t to = std::min(begin + inserted + 1, text.size());
  std::vector<std::size_t> fresh;
  scan(text, from, to, fresh);
  std::vector<std::size_t> kept;
  kept.reserve(static_cast<std::size_t>(starts_.end() - last));
  for (auto it = last; it != starts_.end(); ++it) {
    const std::size_t moved = *it - end + begin + inserted;
    if (fresh.empty() || moved > fresh.back()) kept.push_back(moved);
  }
  starts_.erase(first + 1, starts_.end());
  starts_.insert(starts_.end(), fresh.begin(), fresh.end());
  starts_.insert(starts_.end(), kept.begin(), kept.end());
}

}  // namespace ambit::lsp
