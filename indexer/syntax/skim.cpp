#include "indexer/syntax/skim.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace ambit::indexer {
namespace {

enum class Byte : std::uint8_t { kOther, kWord, kDigit, kMark };

constexpr std::array<Byte, 256> kBytes = [] {
  std::array<Byte, 256> out{};
  for (int c = 'a'; c <= 'z'; ++c) out[static_cast<std::size_t>(c)] = Byte::kWord;
  for (int c = 'A'; c <= 'Z'; ++c) out[static_cast<std::size_t>(c)] = Byte::kWord;
  for (std::size_t c = 0x80; c < 256; ++c) out[c] = Byte::kWord;
  out['_'] = Byte::kWord;
  for (int c = '0'; c <= '9'; ++c) out[static_cast<std::size_t>(c)] = Byte::kDigit;
  for (const char c : std::string_view("\"'/#{}")) out[static_cast<unsigned char>(c)] = Byte::kMark;
  return out;
}();

Byte byte_class(char c) {
  return kBytes[static_cast<unsigned char>(c)];
}
bool word_byte(char c) {
  const auto b = byte_class(c);
  return b == Byte::kWord || b == Byte::kDigit;
}

std::size_t word_end(std::string_view text, std::size_t at) {
  while (at < text.size() && word_byte(text[at])) ++at;
  return at;
}
std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at;
}
// Behind the comment at `at`, or behind the slash that begins none.
std::size_t skip_comment(std::string_view text, std::size_t at) {
  const char next = at + 1 < text.size() ? text[at + 1] : ' ';
  if (next == '/') return std::min(text.find('\n', at), text.size());
  if (next != '*') return at + 1;
  const auto end = text.find("*/", at + 2);
  return end == std::string_view::npos ? text.size() : end + 2;
}
// Behind the string, or at the end of its line.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at++];
  while (at < text.size() && text[at] != quote && text[at] != '\n') at += text[at] == '\\' ? 2 : 1;
  if (at >= text.size()) return text.size();
  return text[at] == quote ? at + 1 : at;
}

// Sorted. What the grammars do not take for identifiers.
constexpr auto kWords = std::to_array<std::string_view>(
    {"NULL",          "_Alignas",      "_Alignof", "_Atomic",    "_Generic",     "__asm__",
     "__attribute__", "__extension__", "__inline", "__inline__", "__restrict__", "__thread",
     "__volatile__",  "alignas",       "alignof",  "asm",        "auto",         "bool",
     "break",         "case",          "char",     "const",      "constexpr",    "continue",
     "default",       "defined",       "do",       "double",     "else",         "enum",
     "extern",        "false",         "float",    "for",        "goto",         "if",
     "inline",        "int",           "int16_t",  "int32_t",    "int64_t",      "int8_t",
     "intptr_t",      "long",          "nullptr",  "offsetof",   "ptrdiff_t",    "register",
     "restrict",      "return",        "short",    "signed",     "size_t",       "sizeof",
     "ssize_t",       "static",        "struct",   "switch",     "true",         "typedef",
     "uint16_t",      "uint32_t",      "uint64_t", "uint8_t",    "uintptr_t",    "union",
     "unsigned",      "void",          "volatile", "while"});
constexpr auto kCppWords = std::to_array<std::string_view>(
    {"and",       "catch",     "class",     "co_await", "co_return", "co_yield", "concept",
     "consteval", "constinit", "decltype",  "delete",   "explicit",  "final",    "friend",
     "mutable",   "namespace", "new",       "noexcept", "not",       "operator", "or",
     "override",  "private",   "protected", "public",   "requires",  "template", "this",
     "throw",     "try",       "typename",  "using",    "virtual"});
static_assert(std::is_sorted(kWords.begin(), kWords.end()));
static_assert(std::is_sorted(kCppWords.begin(), kCppWords.end()));

bool reserved(std::string_view w, bool cpp) {
  return w.size() <= 13 && (std::binary_search(kWords.begin(), kWords.end(), w) ||
                            (cpp && std::binary_search(kCppWords.begin(), kCppWords.end(), w)));
}

class Skimmer {
 public:
  Skimmer(std::string_view text, std::size_t open, bool cpp, std::vector<ByteSpan>& words,
          std::vector<MacroLine>& macros)
      : text_(text), at_(open + 1), cpp_(cpp), words_(words), macros_(macros) {
    const auto first = text_.find_first_not_of(" \t\r\n", at_);
    if (first == std::string_view::npos || text_.substr(at_, first - at_).find('\n') == kNone)
      return;
    const auto outer = declaration_indent(open);
    if (indent(first) > outer) outer_ = outer;
  }

  [[nodiscard]] std::size_t at() const { return at_; }

  // At the closing brace; false when the block has to be parsed.
  bool run() {
    std::size_t depth = 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      switch (byte_class(c)) {
        case Byte::kOther:
          ++at_;
          continue;
        case Byte::kDigit:
          while (at_ < text_.size() && (word_byte(text_[at_]) || digit_mark())) ++at_;
          continue;
        case Byte::kWord:
          if (!word()) return false;
          continue;
        case Byte::kMark:
          break;
      }
      if (c == '{') {
        ++depth;
        ++at_;
      } else if (c == '}') {
        if (--depth == 0 || ends_by_layout()) return branches_.empty();
        ++at_;
      } else if (c == '/') {
        at_ = skip_comment(text_, at_);
      } else if (c == '#') {
        if (!directive(depth)) return false;
      } else if (c == '"' && text_[at_ - 1] == 'R') {  // R"tag( … )tag"
        return false;
      } else {
        at_ = skip_string(text_, at_);
      }
    }
    return false;
  }

 private:
  static constexpr auto kNone = std::string_view::npos;

  // Blanks before what begins at `at`; kNone when it is not the first on its line.
  [[nodiscard]] std::size_t indent(std::size_t at) const {
    auto begin = at;
    while (begin > 0 && (text_[begin - 1] == ' ' || text_[begin - 1] == '\t')) --begin;
    return begin == 0 || text_[begin - 1] == '\n' ? at - begin : kNone;
  }
  // Of the lines that lead to the '{' at `open`, the least.
  [[nodiscard]] std::size_t declaration_indent(std::size_t open) const {
    auto least = kNone;
    for (int lines = 0; lines < 16; ++lines) {
      const auto newline = open == 0 ? kNone : text_.rfind('\n', open - 1);
      const auto begin = newline == kNone ? 0 : newline + 1;
      const auto first = text_.find_first_not_of(" \t", begin);
      if (lines > 0 && (first >= open || text_[first] == '#' ||
                        std::string_view(";{}:/").find(text_[open - 1]) != kNone)) {
        break;
      }
      least = std::min(least, first - begin);
      if (begin == 0) break;
      open = newline;
    }
    return least;
  }
  // While somebody types a block, its braces do not match: a '}' below the declaration's first
  // letter, with something beside the margin after it, ends the declaration all the same. Else all
  // functions below would be a part of this one until the next '}' is typed.
  [[nodiscard]] bool ends_by_layout() const {
    return outer_ != kNone && indent(at_) <= outer_ && margin_follows(text_, at_ + 1, outer_);
  }
  [[nodiscard]] bool digit_mark() const {  // 1'000
    return text_[at_] == '\'' && cpp_ && at_ + 1 < text_.size() && word_byte(text_[at_ + 1]);
  }
  [[nodiscard]] std::size_t skip_space(std::size_t at) const {
    while (at < text_.size() &&
           (text_[at] == ' ' || text_[at] == '\t' || text_[at] == '\n' || text_[at] == '\r'))
      ++at;
    return at;
  }

  bool word() {
    const auto begin = at_;
    const auto end = word_end(text_, begin);
    const auto w = text_.substr(begin, end - begin);
    if (!reserved(w, cpp_)) {
      words_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
    } else if (w == "typedef" || (cpp_ && (w == "using" || w == "namespace"))) {
      return false;
    } else if (w == "struct" || w == "union" || w == "enum" || w == "class") {
      const auto name = skip_space(end);
      const auto next = skip_space(word_end(text_, name));
      if (next >= text_.size() || text_[next] == '{' || text_[next] == ':') return false;
      if (word_byte(text_[next])) {  // an attribute or a macro in between?
        const auto after = skip_space(word_end(text_, next));
        if (after >= text_.size() || text_[after] == '{' || text_[after] == '(') return false;
      }
    }
    at_ = end;
    return true;
  }
  bool directive(std::size_t& depth) {
    auto before = at_;
    while (before > 0 && (text_[before - 1] == ' ' || text_[before - 1] == '\t')) --before;
    if (before > 0 && text_[before - 1] != '\n') {
      ++at_;
      return true;
    }
    const auto d = directive_at(text_, at_);
    if (d.name == "include") return false;
    MacroLine macro;
    if (d.name == "define" && read_define(text_, at_, d, macro)) macros_.push_back(macro);
    if (d.name.starts_with("if")) {
      branches_.push_back(depth);
    } else if (d.conditional()) {
      // Each branch has to leave the braces as they were.
      if (branches_.empty() || branches_.back() != depth) return false;
      if (d.name == "endif") branches_.pop_back();
    }
    directive_words(text_, d, cpp_, words_);
    at_ = d.end;
    return true;
  }

  std::string_view text_;
  std::size_t at_;
  bool cpp_;
  std::size_t outer_ = kNone;  // the declaration's indent, when the block's lines are deeper
  std::vector<ByteSpan>& words_;
  std::vector<MacroLine>& macros_;
  std::vector<std::size_t> branches_;  // depth of braces at each #if
};

}  // namespace

bool margin_follows(std::string_view text, std::size_t at, std::size_t margin) {
  if (at < text.size() && text[at] == ';') ++at;
  for (bool first_line = true;; first_line = false) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto word = text.find_first_not_of(" \t\r", at);
    if (word < end) {
      if (!first_line) return word - at <= margin;
      if (!text.substr(word).starts_with("//") && !text.substr(word).starts_with("/*"))
        return false;
    }
    if (end == text.size()) return true;
    at = end + 1;
  }
}

Directive directive_at(std::string_view text, std::size_t hash) {
  Directive d;
  auto end = hash;
  for (;;) {
    end = std::min(text.find('\n', end), text.size());
    auto last = end;
    if (last > hash && text[last - 1] == '\r') --last;
    if (end == text.size() || text[last - 1] != '\\') break;
    ++end;
  }
  // A comment may run on behind the line.
  const auto line = text.substr(hash, end - hash);
  if (const auto open = line.rfind("/*");
      open != std::string_view::npos && line.find("*/", open) == std::string_view::npos) {
    const auto close = text.find("*/", hash + open);
    end = close == std::string_view::npos ? text.size() : close + 2;
  }
  d.end = end;
  const auto name = std::min(skip_blanks(text, hash + 1), end);
  d.name_end = std::min(word_end(text, name), end);
  d.name = text.substr(name, d.name_end - name);
  return d;
}

bool read_define(std::string_view text, std::size_t hash, const Directive& directive,
                 MacroLine& out) {
  const auto begin = skip_blanks(text, directive.name_end);
  const auto end = word_end(text, begin);
  if (begin >= end || end > directive.end || byte_class(text[begin]) != Byte::kWord) return false;
  auto line_end = directive.end;
  while (line_end > end && text[line_end - 1] == '\r') --line_end;
  out.name = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  out.line = {static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(line_end)};
  out.doc = {};
  return true;
}

void directive_words(std::string_view text, const Directive& directive, bool cpp,
                     std::vector<ByteSpan>& words) {
  auto at = directive.name_end;
  if (directive.name == "define") {
    at = word_end(text, skip_blanks(text, at));
    if (at < directive.end && text[at] == '(') at = std::min(text.find(')', at), directive.end);
  } else if (!directive.name.starts_with("if") && directive.name != "elif") {
    return;
  }
  while (at < directive.end) {
    const char c = text[at];
    const auto b = byte_class(c);
    if (b == Byte::kWord) {
      const auto end = word_end(text, at);
      if (!reserved(text.substr(at, end - at), cpp))
        words.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end)});
      at = end;
    } else if (b == Byte::kDigit) {
      at = word_end(text, at);
    } else if (c == '/') {
      at = skip_comment(text, at);
    } else if (c == '"' || c == '\'') {
      at = skip_string(text, at);
    } else {
      ++at;
    }
  }
}

std::size_t skim_block(std::string_view text, std::size_t open, bool cpp,
                       std::vector<ByteSpan>& words, std::vector<MacroLine>& macros,
                       std::size_t& seen) {
  const auto words_before = words.size();
  const auto macros_before = macros.size();
  Skimmer s(text, open, cpp, words, macros);
  if (s.run()) return s.at();
  seen = s.at();
  words.resize(words_before);
  macros.resize(macros_before);
  return std::string_view::npos;
}

void Cuts::apply(std::string& text) {
  std::size_t to = 0, from = 0;
  std::uint32_t lines = 0;
  for (auto& c : cuts_) {
    std::memmove(text.data() + to, text.data() + from, c.begin - from);
    to += c.begin - from;
    from = c.end;
    c.at = static_cast<std::uint32_t>(to);
    lines +=
        static_cast<std::uint32_t>(std::count(text.begin() + c.begin, text.begin() + c.end, '\n'));
    c.lines = lines;
  }
  std::memmove(text.data() + to, text.data() + from, text.size() - from);
  text.resize(to + text.size() - from);
}

const Cuts::Cut* Cuts::before(std::uint32_t at) const {
  const auto it = std::upper_bound(cuts_.begin(), cuts_.end(), at,
                                   [](std::uint32_t a, const Cut& c) { return a < c.at; });
  return it == cuts_.begin() ? nullptr : &*std::prev(it);
}

std::uint32_t Cuts::original(std::uint32_t at) const {
  const auto* c = before(at);
  return c == nullptr ? at : at - c->at + c->end;
}

void Cuts::restore(std::string_view original_text, Facts& facts) const {
  const auto whole = [&](ByteSpan& s) { s = original(s); };
  const auto lines = [&](std::uint32_t at) {
    const auto* c = before(at);
    return c == nullptr ? 0 : c->lines;
  };
  for (auto& d : facts.definitions) {
    d.line += lines(d.name.begin);
    d.end_line += d.span.end == 0 ? 0 : lines(d.span.end - 1);
    whole(d.name);
    whole(d.span);
    d.declaration = original(d.declaration);
    d.signature_end = original_end(d.signature_end);
    if (d.doc.end != 0) whole(d.doc);
    const auto newline =
        d.name.begin == 0 ? std::string_view::npos : original_text.rfind('\n', d.name.begin - 1);
    d.column = d.name.begin -
               static_cast<std::uint32_t>(newline == std::string_view::npos ? 0 : newline + 1);
  }
  for (auto& m : facts.mentions) whole(m.span);
  for (auto& i : facts.imports) {
    whole(i.module);
    whole(i.statement);
  }
  for (auto& e : facts.errors) whole(e);
}

}  // namespace ambit::indexer
