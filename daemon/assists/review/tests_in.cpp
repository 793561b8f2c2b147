#include "daemon/assists/review/tests_in.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/assists/review/finding.h"
#include "daemon/assists/review/lexical.h"

namespace ambit::daemon::review {
namespace {

using indexer::Language;

// Reads a text from one place on, piece by piece. After a piece that is not there it gives nothing
// more. No std::regex: that recurses once for each letter, so a long run of spaces ends the
// process.
class Reader {
 public:
  Reader(std::string_view text, std::size_t at) : text_(text), at_(std::min(at, text.size())) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t at() const { return at_; }
  Reader& piece(std::string_view wanted) {
    if (ok_ && !optional(wanted)) ok_ = false;
    return *this;
  }
  bool optional(std::string_view wanted) {
    const bool there = ok_ && text_.substr(at_).starts_with(wanted);
    if (there) at_ += wanted.size();
    return there;
  }
  Reader& skip(std::string_view any_of) {
    if (ok_) at_ = std::min(text_.find_first_not_of(any_of, at_), text_.size());
    return *this;
  }
  Reader& name() {
    const auto begin = at_;
    while (ok_ && at_ < text_.size() && is_word(text_[at_])) ++at_;
    ok_ = ok_ && at_ > begin;
    return *this;
  }
  // A string of one line, of at most 200 bytes between its quotes.
  Reader& quoted() {
    if (!ok_ || at_ >= text_.size() || std::string_view("\"'`").find(text_[at_]) == text_.npos) {
      return fail();
    }
    const char ends[] = {text_[at_], '\n'};
    const auto length = text_.substr(at_ + 1, 201).find_first_of({ends, 2});
    if (length == text_.npos || length == 0 || text_[at_ + 1 + length] == '\n') return fail();
    at_ += length + 2;
    return *this;
  }
  Reader& fail() {
    ok_ = false;
    return *this;
  }

 private:
  std::string_view text_;
  std::size_t at_;
  bool ok_ = true;
};

constexpr std::string_view kBlank = " \t", kSpace = " \t\r\n\v\f";

// The name of the test whose declaration begins at `at`, by the habits of the common frameworks:
// where it stands in the text, or nullopt.
std::optional<std::pair<std::size_t, std::size_t>> test_name_at(std::string_view text,
                                                                std::size_t at, Language language) {
  Reader r(text, at);
  std::size_t begin = 0, end = 0;
  const auto named = [&](std::string_view prefix) {
    begin = r.at();
    r.piece(prefix).name();
    end = r.at();
  };
  switch (language) {
    case Language::kPython:
      r.skip(kBlank).optional("async ");
      r.piece("def ");
      named("test_");
      r.skip(kBlank).piece("(");
      break;
    case Language::kGo:
      r.piece("func ");
      named("Test");
      r.piece("(");
      break;
    case Language::kCpp:
    case Language::kCuda:
      r.piece("TEST");
      if (!r.optional("_F")) r.optional("_P");
      r.piece("(").skip(kSpace);
      begin = r.at();
      r.name().skip(kSpace).piece(",").skip(kSpace).name();
      end = r.at();
      r.skip(kSpace).piece(")");
      break;
    case Language::kJavaScript:
    case Language::kTypeScript:
    case Language::kTsx:
      r.skip(kBlank);
      if (!r.optional("it")) r.piece("test");
      r.piece("(").skip(kSpace);
      begin = r.at();
      end = r.quoted().at();
      break;
    case Language::kRust:
      if (!text.substr(0, at).ends_with("#[test]") &&
          !text.substr(0, at).ends_with("#[tokio::test]")) {
        return std::nullopt;
      }
      r.skip(kSpace).optional("async ");
      r.piece("fn ");
      named("");
      break;
    case Language::kJava:
      r.skip(kSpace).optional("public ");
      r.piece("void ");
      named("");
      break;
    default:
      return std::nullopt;
  }
  if (!r.ok()) return std::nullopt;
  return std::pair(begin, end);
}

// Where declarations of tests may begin, from `at` on: after the mark of a test where the language
// has one, else at the beginning of a line. npos: nowhere.
std::size_t next_test(std::string_view text, std::size_t at, Language language) {
  const auto after = [&](std::string_view mark) {
    const auto found = text.find(mark, at);
    return found == text.npos ? found : found + mark.size();
  };
  if (language == Language::kJava) return after("@Test");
  if (language == Language::kRust) return after("test]");
  return after("\n");
}

}  // namespace

std::vector<NamedTest> tests_in(std::string_view text, Language language) {
  std::vector<NamedTest> out;
  const bool by_lines = language != Language::kJava && language != Language::kRust;
  std::size_t counted = 0;  // bytes whose line ends are in `line`
  std::uint32_t line = 0;
  for (auto at = by_lines ? 0 : next_test(text, 0, language); at < text.size();
       at = next_test(text, at, language)) {
    const auto name = test_name_at(text, at, language);
    if (!name) continue;
    if (!out.empty()) out.back().end = at;
    line += static_cast<std::uint32_t>(
        std::count(text.begin() + static_cast<std::ptrdiff_t>(counted),
                   text.begin() + static_cast<std::ptrdiff_t>(name->first), '\n'));
    counted = name->first;
    out.push_back({normalise_code(text.substr(name->first, name->second - name->first)), line,
                   name->first, text.size()});
  }
  return out;
}

}  // namespace ambit::daemon::review
