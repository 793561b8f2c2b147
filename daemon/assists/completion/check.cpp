#include "daemon/assists/completion/check.h"

#include <algorithm>
#include <array>

namespace ambit::daemon {

namespace {

constexpr std::string_view kBreaks = "the suggestion would not parse here";
constexpr std::string_view kUnknown = "the suggestion calls what exists nowhere";
// Files beyond this are not parsed for every item.
constexpr std::size_t kMostBytes = 128 << 10;
constexpr int kMostTries = 6;
// Libraries are not in the index, so a model that is sure of an unknown name is believed.
constexpr double kSure = -0.5;

bool word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool has_word(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !word_byte(text[at - 1]);
    const auto end = at + word.size();
    if (begins && (end == text.size() || !word_byte(text[end]))) return true;
  }
  return false;
}

// What looks like a call, or makes a name, in the languages that we read.
bool is_keyword(std::string_view word) {
  static constexpr std::array kWords{
      "if",     "for",      "while",  "switch", "catch",  "return", "sizeof", "and",   "or",
      "not",    "in",       "is",     "elif",   "except", "assert", "yield",  "await", "match",
      "print",  "len",      "range",  "super",  "typeof", "throw",  "raise",  "del",   "with",
      "lambda", "function", "func",   "fn",     "def",    "class",  "new",    "until", "unless",
      "when",   "defer",    "select", "go",     "case",   "else",   "do",     "using", "lock"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

bool makes_a_name(std::string_view word) {
  static constexpr std::array kWords{"function", "func", "fn", "def", "class", "fun", "sub", "new"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

}  // namespace

ItemCheck::ItemCheck(std::shared_ptr<const indexer::Snapshot> snapshot, std::string path,
                     std::string before, std::string after)
    : snapshot_(std::move(snapshot)),
      path_(std::move(path)),
      before_(std::move(before)),
      after_(std::move(after)) {}

std::size_t ItemCheck::errors_with(std::string_view item) const {
  auto text = std::make_shared<std::string>(before_);
  *text += item;
  *text += after_;
  return snapshot_->with_buffers({{path_, std::move(text)}})->unparsed_ranges(path_).size();
}

bool ItemCheck::calls_the_unknown(std::string_view item) const {
  std::string_view previous;
  char quote = '\0';
  for (std::size_t i = 0; i < item.size();) {
    const char c = item[i];
    if (quote != '\0') {
      quote = c == quote || c == '\n' ? '\0' : quote;
      i += c == '\\' ? 2 : 1;
      continue;
    }
    if (!word_byte(c)) {
      if (c == '"' || c == '\'' || c == '`') quote = c;
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < item.size() && word_byte(item[end])) ++end;
    const auto word = item.substr(i, end - i);
    // A word that the cursor stands behind is a part of a longer one.
    const bool whole = i > 0 || before_.empty() || !word_byte(before_.back());
    const bool of_something = i > 0 && (item[i - 1] == '.' || item[i - 1] == '>' ||
                                        item[i - 1] == ':' || item[i - 1] == '@');
    const bool joined = i == 0 && !before_.empty() &&
                        (before_.back() == '.' || before_.back() == '>' || before_.back() == ':');
    if (whole && !of_something && !joined && word.size() >= 3 && end < item.size() &&
        item[end] == '(' && !is_keyword(word) && !makes_a_name(previous) &&
        !has_word(before_, word) && !has_word(after_, word) &&
        snapshot_->definitions(word, 1).empty() && snapshot_->references(word, 1).empty()) {
      return true;
    }
    previous = word;
    i = end;
  }
  return false;
}

ItemCheck::Verdict ItemCheck::check(std::string_view item, double logprob) {
  if (!snapshot_) return {std::string(item), {}};
  if (logprob < kSure && calls_the_unknown(item)) return {{}, kUnknown};
  if (before_.size() + after_.size() > kMostBytes) return {std::string(item), {}};
  if (!errors_before_) errors_before_ = errors_with({});
  for (int tries = 0; tries < kMostTries && !item.empty(); ++tries) {
    if (errors_with(item) <= *errors_before_) return {std::string(item), {}};
    const auto last = item.rfind('\n');
    if (last == std::string_view::npos) break;
    item = item.substr(0, last);
  }
  return {{}, kBreaks};
}

}  // namespace ambit::daemon
