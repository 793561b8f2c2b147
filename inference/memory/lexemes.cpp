#include "inference/memory/lexemes.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <unordered_set>

namespace ambit::inference {
namespace {

constexpr std::array<std::string_view, 25> kOperators2{
    "->", "::", "==", "!=", "<=", ">=", "&&", "||", "++", "--", "+=", "-=", "*=",
    "/=", "=>", "<<", ">>", "//", "/*", "*/", "**", ":=", "<-", "??", "?."};

// Words that are structure in some language. A word that is a name elsewhere does no harm here: it
// is then only compared by its text instead of by its place.
const std::unordered_set<std::string_view>& keywords() {
  static const std::unordered_set<std::string_view> words{
      "abstract", "as",        "async",    "auto",       "await",    "bool",       "boolean",
      "break",    "byte",      "case",     "catch",      "chan",     "char",       "class",
      "const",    "continue",  "crate",    "def",        "default",  "defer",      "define",
      "del",      "delete",    "do",       "double",     "dyn",      "elif",       "else",
      "endif",    "enum",      "except",   "explicit",   "export",   "extends",    "extern",
      "false",    "False",     "final",    "finally",    "float",    "fn",         "for",
      "foreach",  "from",      "func",     "function",   "get",      "global",     "go",
      "goto",     "if",        "ifdef",    "ifndef",     "impl",     "implements", "import",
      "in",       "include",   "inline",   "instanceof", "int",      "interface",  "is",
      "lambda",   "let",       "long",     "loop",       "map",      "match",      "mod",
      "module",   "move",      "mut",      "namespace",  "new",      "nil",        "noexcept",
      "None",     "not",       "null",     "nullptr",    "number",   "object",     "of",
      "operator", "or",        "override", "package",    "pass",     "private",    "protected",
      "pub",      "public",    "raise",    "range",      "readonly", "ref",        "register",
      "require",  "return",    "select",   "self",       "Self",     "set",        "short",
      "signed",   "size_t",    "sizeof",   "static",     "std",      "str",        "string",
      "struct",   "super",     "switch",   "template",   "this",     "throw",      "throws",
      "trait",    "true",      "True",     "try",        "type",     "typedef",    "typename",
      "typeof",   "undefined", "union",    "unsafe",     "unsigned", "use",        "using",
      "var",      "virtual",   "void",     "volatile",   "when",     "where",      "while",
      "with",     "yield",     "and",      "u8",         "u16",      "u32",        "u64",
      "i32",      "i64",       "usize",    "error",      "err",      "ok"};
  return words;
}

}  // namespace

bool is_word_byte(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c >= 0x80;
}

std::size_t lexeme_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (is_word_byte(first)) {
    std::size_t n = 1;
    while (n < text.size() && n < kLongestWord && is_word_byte(static_cast<unsigned char>(text[n])))
      ++n;
    return n;
  }
  // Rules: ---- and ==== of any length are one lexeme.
  std::size_t run = 1;
  while (run < text.size() && run < kLongestWord && text[run] == text[0]) ++run;
  if (run >= 3 && std::string_view("-=*#/~._+\"'`").find(text[0]) != std::string_view::npos)
    return run;
  const auto two = text.substr(0, 2);
  return std::find(kOperators2.begin(), kOperators2.end(), two) != kOperators2.end() ? 2 : 1;
}

std::size_t column_of_space(std::string_view space) {
  std::size_t n = 0;
  for (const char c : space) n = c == '\t' ? (n / 4 + 1) * 4 : n + 1;
  return n;
}

LexemeKind kind_of_text(std::string_view text) {
  const auto c = static_cast<unsigned char>(text[0]);
  if (c >= '0' && c <= '9') return LexemeKind::kNumber;
  if (!is_word_byte(c)) return LexemeKind::kOperator;
  return keywords().contains(text) ? LexemeKind::kKeyword : LexemeKind::kName;
}

LexemeId IndentStack::step(std::size_t column) {
  if (column > levels_.back()) {
    // Alignment deep inside expressions is no reason to grow without end.
    if (levels_.size() < 64) levels_.push_back(column);
    return kLineDeeper;
  }
  std::size_t popped = 0;
  while (levels_.size() > 1 && column < levels_.back()) {
    levels_.pop_back();
    ++popped;
  }
  if (column > levels_.back() && levels_.size() < 64) levels_.push_back(column);
  return popped == 0 ? kLineSame : popped == 1 ? kLineShallower : kLineMuchShallower;
}

std::size_t IndentStack::column_of(LexemeId line_start, std::size_t unit) const {
  const std::size_t n = levels_.size();
  switch (line_start) {
    case kLineDeeper:
      return levels_.back() + unit;
    case kLineShallower:
      return n >= 2 ? levels_[n - 2] : 0;
    case kLineMuchShallower:
      return n >= 3 ? levels_[n - 3] : 0;
    default:
      return levels_.back();
  }
}

LexemeTable::LexemeTable() {
  for (LexemeId i = 0; i < kFirstWord; ++i) entries_.push_back({"", LexemeKind::kLineStart});
}

LexemeId LexemeTable::intern(std::string_view text) {
  {
    std::shared_lock lock(mutex_);
    if (const auto found = by_text_.find(text); found != by_text_.end()) return found->second;
  }
  std::unique_lock lock(mutex_);
  if (const auto found = by_text_.find(text); found != by_text_.end()) return found->second;
  const auto id = static_cast<LexemeId>(entries_.size());
  entries_.push_back({std::string(text), kind_of_text(text)});
  by_text_.emplace(entries_.back().text, id);
  text_bytes_ += text.size();
  return id;
}

LexemeId LexemeTable::find(std::string_view text) const {
  std::shared_lock lock(mutex_);
  const auto found = by_text_.find(text);
  return found == by_text_.end() ? kNoLexeme : found->second;
}

std::string_view LexemeTable::text(LexemeId id) const {
  std::shared_lock lock(mutex_);
  return id < entries_.size() ? std::string_view(entries_[id].text) : std::string_view();
}

LexemeKind LexemeTable::kind(LexemeId id) const {
  std::shared_lock lock(mutex_);
  return id < entries_.size() ? entries_[id].kind : LexemeKind::kOperator;
}

std::size_t LexemeTable::size() const {
  std::shared_lock lock(mutex_);
  return entries_.size();
}

std::size_t LexemeTable::bytes() const {
  std::shared_lock lock(mutex_);
  return text_bytes_ + entries_.size() * (sizeof(Entry) + 64);
}

LexemeId LocalTable::intern(std::string_view text) {
  if (const auto known = base_.find(text); known != kNoLexeme) return known;
  if (const auto found = by_text_.find(text); found != by_text_.end()) return found->second;
  const auto id = kFirstLocal + static_cast<LexemeId>(texts_.size());
  texts_.emplace_back(text);
  kinds_.push_back(kind_of_text(text));
  by_text_.emplace(texts_.back(), id);
  return id;
}

std::string_view LocalTable::text(LexemeId id) const {
  if (id < kFirstLocal) return base_.text(id);
  return id - kFirstLocal < texts_.size() ? std::string_view(texts_[id - kFirstLocal])
                                          : std::string_view();
}

LexemeKind LocalTable::kind(LexemeId id) const {
  return id < kFirstLocal ? base_.kind(id) : kinds_[id - kFirstLocal];
}

}  // namespace ambit::inference
