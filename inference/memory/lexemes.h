// Code as a run of lexemes: words, numbers, operators and line starts. White space is no lexeme but
// a mark on the next one, and indentation is only known as "deeper" or "shallower", so that the
// same code in another style or depth is the same run. The cut is the same for every language and
// does not depend on a model's vocabulary.
#pragma once

#include <cstdint>
#include <deque>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ambit::inference {

// An id above two bits of white space: 0 none, 1 a space, 2 several. On a line start: 1 when blank
// lines stand before it.
using Lexeme = std::uint32_t;
using LexemeId = std::uint32_t;
[[nodiscard]] constexpr LexemeId id_of(Lexeme lexeme) {
  return lexeme >> 2U;
}
[[nodiscard]] constexpr std::uint32_t space_of(Lexeme lexeme) {
  return lexeme & 3U;
}

// Ids that every table has. A line start is told by its indentation against the line before.
inline constexpr LexemeId kNoLexeme = 0;  // edge of a file; equal to nothing
inline constexpr LexemeId kLineSame = 1;
inline constexpr LexemeId kLineDeeper = 2;
inline constexpr LexemeId kLineShallower = 3;      // by one level
inline constexpr LexemeId kLineMuchShallower = 4;  // by more
inline constexpr LexemeId kFirstWord = 5;
// Ids from here on belong to one LocalTable.
inline constexpr LexemeId kFirstLocal = 1U << 29U;
[[nodiscard]] constexpr bool is_line_start(LexemeId id) {
  return id >= kLineSame && id < kFirstWord;
}

enum class LexemeKind : std::uint8_t { kLineStart, kName, kKeyword, kNumber, kOperator };

// Text of ids. Any thread. Never forgets a text: the owner makes a new table when it holds many
// dead ones.
class LexemeTable {
 public:
  LexemeTable();
  [[nodiscard]] LexemeId intern(std::string_view text);
  [[nodiscard]] LexemeId find(std::string_view text) const;  // kNoLexeme: unknown
  [[nodiscard]] std::string_view text(LexemeId id) const;    // valid as long as the table
  [[nodiscard]] LexemeKind kind(LexemeId id) const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t bytes() const;  // of memory, about

 private:
  struct Entry {
    std::string text;
    LexemeKind kind;
  };
  mutable std::shared_mutex mutex_;
  std::deque<Entry> entries_;
  std::unordered_map<std::string_view, LexemeId> by_text_;
  std::size_t text_bytes_ = 0;
};

// A table and, on top, words that only the text at hand has. One thread.
class LocalTable {
 public:
  explicit LocalTable(const LexemeTable& base) : base_(base) {}
  [[nodiscard]] LexemeId intern(std::string_view text);
  [[nodiscard]] std::string_view text(LexemeId id) const;
  [[nodiscard]] LexemeKind kind(LexemeId id) const;

 private:
  const LexemeTable& base_;
  std::deque<std::string> texts_;
  std::vector<LexemeKind> kinds_;
  std::unordered_map<std::string_view, LexemeId> by_text_;
};

[[nodiscard]] LexemeKind kind_of_text(std::string_view text);
[[nodiscard]] bool is_word_byte(unsigned char c);

// Indentations of the open blocks, so that "shallower by one" can be told and undone.
class IndentStack {
 public:
  // The line start for a line at this column; and the stack as it is from there on.
  [[nodiscard]] LexemeId step(std::size_t column);
  // The column at which such a line would stand; unit: columns of one level.
  [[nodiscard]] std::size_t column_of(LexemeId line_start, std::size_t unit) const;

 private:
  std::vector<std::size_t> levels_{0};
};

// Calls word(text, space) for each lexeme but line starts, and line(id, blank) for those. Longer
// words than kLongestWord are cut; they are keys and data, not code.
inline constexpr std::size_t kLongestWord = 80;
class Lexer {
 public:
  // Text may end anywhere; the next call goes on as if it were a new line.
  template <class Word, class Line>
  void run(std::string_view text, Word&& word, Line&& line);
  // A line start for a cursor in this column of a line that is blank so far.
  [[nodiscard]] LexemeId line_at(std::size_t column) { return indents_.step(column); }
  [[nodiscard]] const IndentStack& indents() const { return indents_; }

 private:
  IndentStack indents_;
};

// Length of the lexeme at the start of `text`, which begins with neither space nor line break.
[[nodiscard]] std::size_t lexeme_length(std::string_view text);
[[nodiscard]] std::size_t column_of_space(std::string_view space);  // a tab goes to the next 4

template <class Word, class Line>
void Lexer::run(std::string_view text, Word&& word, Line&& line) {
  std::size_t at = 0;
  bool blank = false;
  while (at < text.size()) {
    std::size_t space_end = at;
    while (space_end < text.size() && (text[space_end] == ' ' || text[space_end] == '\t')) {
      ++space_end;
    }
    std::size_t end = text.find('\n', space_end);
    if (end == std::string_view::npos) end = text.size();
    const std::size_t content_end = end > space_end && text[end - 1] == '\r' ? end - 1 : end;
    if (content_end == space_end) {
      blank = true;
    } else {
      line(indents_.step(column_of_space(text.substr(at, space_end - at))), blank);
      blank = false;
      std::uint32_t space = 0;
      for (std::size_t i = space_end; i < content_end;) {
        if (text[i] == ' ' || text[i] == '\t') {
          space = space == 0 && text[i] == ' ' ? 1 : 2;
          ++i;
          continue;
        }
        const std::size_t n = lexeme_length(text.substr(i, content_end - i));
        word(text.substr(i, n), space);
        space = 0;
        i += n;
      }
    }
    at = end + 1;
  }
}

}  // namespace ambit::inference
