// Byte offset <-> line and column, in the unit that the client negotiated.
//
// Text is UTF-8 and may be broken: each maximal invalid sequence counts as one character (U+FFFD,
// as editors show it), so every offset has a position. Lines end in \n, \r\n or \r. Nothing fails:
// a column past the end of a line is the end of that line (before its break), a line past the last
// one is the end of the text, and a place inside a character is the start of that character.
// A byte order mark counts as a character: editors that hide it also leave it out of what they
// send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ambit::lsp {

enum class PositionEncoding { kUtf8, kUtf16, kUtf32 };

// "utf-8", "utf-16" or "utf-32".
[[nodiscard]] std::string_view to_string(PositionEncoding encoding);

struct LineColumn {
  std::uint32_t line = 0;       // from 0
  std::uint32_t character = 0;  // from 0, in units of the encoding
  friend bool operator==(const LineColumn&, const LineColumn&) = default;
};

// Where each line of a text starts. Holds no text: pass the same one to every call.
class LineTable {
 public:
  explicit LineTable(std::string_view text);

  [[nodiscard]] std::size_t offset_at(std::string_view text, LineColumn position,
                                      PositionEncoding encoding) const;
  [[nodiscard]] LineColumn position_at(std::string_view text, std::size_t offset,
                                       PositionEncoding encoding) const;
  // Updates the table for a text in which [begin, end) was replaced by `inserted` bytes; `text` is
  // the text after that. Scans only the lines that the edit touched.
  void edit(std::string_view text, std::size_t begin, std::size_t end, std::size_t inserted);

  [[nodiscard]] std::size_t line_count() const { return starts_.size(); }
  [[nodiscard]] std::size_t line_start(std::size_t line) const { return starts_[line]; }
  // The end of a line's content, before its break.
  [[nodiscard]] std::size_t line_end(std::string_view text, std::size_t line) const;

  friend bool operator==(const LineTable&, const LineTable&) = default;

 private:
  std::vector<std::size_t> starts_;  // starts_[0] == 0; ascending
};

// The bytes of the character at text[at]: 1 to 4, or the length of a maximal invalid sequence.
// units: its width in the encoding. at < text.size().
struct Character {
  std::size_t bytes = 1;
  std::uint32_t units = 1;
};
[[nodiscard]] Character character_at(std::string_view text, std::size_t at,
                                     PositionEncoding encoding);

}  // namespace ambit::lsp
