// Cuts text into the pieces inside which byte-level BPE merges: DeepSeek's three splits, one after
// the other (docs/model.md, "Tokenizer"):
//   1. \p{N}{1,3}                                    runs of up to three digits
//   2. [U+4E00-U+9FA5 U+3040-U+309F U+30A0-U+30FF]+  runs of ideographs and kana
//   3. the expression kDeepSeekMain below
// What an expression leaves between its matches is a piece too. The work is one pass without
// backtracking and linear in the text. Bytes that are not UTF-8 count as characters of no class.
#pragma once

#include <cstdint>
#include <string_view>

namespace ambit::inference {

inline constexpr std::string_view kDeepSeekDigits = R"(\p{N}{1,3})";
inline constexpr std::string_view kDeepSeekCjk = "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+";
inline constexpr std::string_view kDeepSeekMain =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
    "[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";

enum class PreTokenizer : std::uint8_t {
  kNone,      // the whole text is one piece
  kDeepSeek,  // the three splits above
};

// Pieces of one text in order; together they are the text.
class PieceScanner {
 public:
  PieceScanner(PreTokenizer kind, std::string_view text) : kind_(kind), text_(text) {}
  // The next piece (a view into the text); empty at the end.
  [[nodiscard]] std::string_view next();

 private:
  // The three splits nest: inside a digit or CJK run and between them, the main expression sees
  // only that run, as if the text began and ended there.
  enum class Zone : std::uint8_t { kUnset, kNumber, kCjk, kRest };
  struct Char {
    std::uint8_t cls;  // CharClass, or kEnd
    std::uint8_t length;
  };
  [[nodiscard]] Char peek(std::size_t pos) const;
  [[nodiscard]] std::size_t run_of_letters(std::size_t pos) const;
  [[nodiscard]] std::size_t match(std::size_t pos) const;

  PreTokenizer kind_;
  std::string_view text_;
  std::size_t pos_ = 0;
  Zone zone_ = Zone::kUnset;
};

}  // namespace ambit::inference
