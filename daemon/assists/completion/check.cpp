#include "daemon/assists/completion/check.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "daemon/assists/completion/brackets.h"
#include "daemon/assists/completion/words.h"
#include "indexer/syntax/extract.h"
#include "indexer/syntax/languages.h"

namespace ambit::daemon {

namespace {

constexpr std::string_view kBreaks = "the suggestion would not parse here";
constexpr std::string_view kUnknown = "the suggestion calls what exists nowhere";
// Files beyond this are not parsed for every item.
constexpr std::size_t kMostBytes = 128 << 10;
constexpr int kMostTries = 6;
// Libraries are not in the index, so a model that is sure of an unknown name is believed.
constexpr double kSure = -0.5;

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
  std::string text = before_;
  text += item;
  text += after_;
  const auto language =
      indexer::language_of(path_, std::string_view(text).substr(0, std::size_t{1} << 16));
  if (language == indexer::Language::kNone) return 0;
  thread_local indexer::Extractor extractor;
  const auto errors = extractor.grammar_errors(language, text);
  return errors ? errors->size() : 0;
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

std::string ItemCheck::closers_of(std::string_view item) const {
  const auto rules = lexical_rules(path_);
  const std::string text = before_.substr(before_.rfind('\n') + 1) + std::string(item);
  struct Opener {
    char bracket;
    std::size_t line;  // where it begins
  };
  std::vector<Opener> open;
  for_each_bracket(text, rules, [&](std::size_t at, char bracket) {
    if (at < text.size() - item.size()) return true;
    if (!is_closer(bracket)) {
      open.push_back({bracket, text.rfind('\n', at) + 1});
    } else if (!open.empty() && closer_of(open.back().bracket) == bracket) {
      open.pop_back();
    }
    return true;
  });
  std::string out;
  std::size_t line = text.rfind('\n') + 1;
  for (auto opener = open.rbegin(); opener != open.rend(); ++opener) {
    if (std::exchange(line, opener->line) != opener->line) {
      const auto end = std::min(text.find_first_not_of(" \t", opener->line), text.size());
      out += "\n" + text.substr(opener->line, end - opener->line);
    }
    out += closer_of(opener->bracket);
  }
  return out;
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
    // A block with something in it is closed; an empty one would leave the caret behind it.
    if (const auto closers = closers_of(item); !closers.empty()) {
      const auto closed = std::string(item) + closers;
      if (errors_with(closed) <= *errors_before_) return {closed, {}};
    }
    item = item.substr(0, last);
  }
  return {{}, kBreaks};
}

}  // namespace ambit::daemon
