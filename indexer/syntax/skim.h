// What the outline of a C or C++ file can do without: the insides of function bodies and of
// initialisers, and comments. They are three quarters of the text and define nothing, so they are
// cut out before parsing, their words are kept, and what was found is moved back to where it stands
// in the original.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/syntax/extract.h"
#include "indexer/types.h"

namespace ambit::indexer {

// A line that begins with '#', with the lines that continue it and a comment that it opens.
struct Directive {
  std::string_view name;     // "define", "if", …
  std::size_t name_end = 0;  // bytes of the text
  std::size_t end = 0;       // the newline, or the end of the text
  [[nodiscard]] bool conditional() const {
    return name.starts_with("if") || name.starts_with("el") || name == "endif";
  }
};
[[nodiscard]] Directive directive_at(std::string_view text, std::size_t hash);

struct MacroLine {
  ByteSpan name;
  ByteSpan line;  // from the '#' on
  ByteSpan doc;   // the comment before it, empty when there is none
};
// False when no name follows.
[[nodiscard]] bool read_define(std::string_view text, std::size_t hash, const Directive& directive,
                               MacroLine& out);
// Identifiers of a directive; those of a #define are the words of its value.
void directive_words(std::string_view text, const Directive& directive, bool cpp,
                     std::vector<ByteSpan>& words);

// The place of the '}' that closes the '{' at `open`, or that ends its declaration by the look of
// the lines when braces do not match (somebody is typing); identifiers and macros in between are
// appended to `words` and `macros`. npos, and both as they were, for a block that has to be parsed:
// a type is defined in it, or its braces depend on the preprocessor. `seen` is then where that
// showed.
[[nodiscard]] std::size_t skim_block(std::string_view text, std::size_t open, bool cpp,
                                     std::vector<ByteSpan>& words, std::vector<MacroLine>& macros,
                                     std::size_t& seen);

// Whether nothing but a ';' or a comment follows on the line, and what comes next stands at most
// `margin` bytes from the left. True at the end of the text.
[[nodiscard]] bool margin_follows(std::string_view text, std::size_t at, std::size_t margin);

// Ranges that are left out, and the way back.
class Cuts {
 public:
  void clear() { cuts_.clear(); }
  void add(std::size_t begin, std::size_t end) {  // behind those before
    if (begin < end)
      cuts_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), 0, 0});
  }
  [[nodiscard]] bool empty() const { return cuts_.empty(); }
  void apply(std::string& text);  // takes the ranges out
  // Facts of the text without the ranges become those of the original; only lines and columns of
  // mentions stay as they are.
  void restore(std::string_view original, Facts& facts) const;
  [[nodiscard]] ByteSpan original(ByteSpan s) const {
    return {original(s.begin), original_end(s.end)};
  }

 private:
  struct Cut {
    std::uint32_t begin, end;
    std::uint32_t at;     // where it was, in the text without it
    std::uint32_t lines;  // left out by this one and those before
  };
  [[nodiscard]] const Cut* before(std::uint32_t at) const;
  [[nodiscard]] std::uint32_t original(std::uint32_t at) const;
  [[nodiscard]] std::uint32_t original_end(std::uint32_t at) const {
    return at == 0 ? 0 : original(at - 1) + 1;
  }
  std::vector<Cut> cuts_;
};

}  // namespace ambit::indexer
