// Whole-word occurrences of a name, skipping comments and strings by the habits of each language.
#include <cstring>
#include <string>

#include "indexer/search/snapshot.h"
#include "indexer/search/words.h"

namespace ambit::indexer {
namespace {

bool hash_comments(Language l) {
  switch (l) {
    case Language::kPython:
    case Language::kRuby:
    case Language::kBash:
    case Language::kYaml:
    case Language::kToml:
    case Language::kHcl:
    case Language::kElixir:
      return true;
    default:
      return false;
  }
}

bool slash_comments(Language l) {
  switch (l) {
    case Language::kPython:
    case Language::kRuby:
    case Language::kBash:
    case Language::kYaml:
    case Language::kToml:
    case Language::kElixir:
    case Language::kMarkdown:
    case Language::kHtml:
    case Language::kLua:
    case Language::kSql:
    case Language::kNone:
      return false;
    default:
      return true;
  }
}

// Behind the raw string whose first quote stands at `at`; npos when that begins no raw string:
// R"tag(…)tag" of C++, r#"…"# of Rust, `…` of Go.
std::size_t end_of_raw(std::string_view text, std::size_t at, Language language) {
  std::string close;
  auto from = at + 1;
  if (language == Language::kGo && text[at] == '`') {
    close = "`";
  } else if ((language == Language::kCpp || language == Language::kCuda) && text[at] == '"' &&
             at > 0 && text[at - 1] == 'R') {
    const auto open = text.find('(', at);
    if (open == std::string_view::npos || open - at > 17) return std::string_view::npos;
    close = ")" + std::string(text.substr(at + 1, open - at - 1)) + "\"";
    from = open + 1;
  } else if (language == Language::kRust && text[at] == '"') {
    auto hash = at;
    while (hash > 0 && text[hash - 1] == '#') --hash;
    if (hash == 0 || text[hash - 1] != 'r') return std::string_view::npos;
    close = "\"" + std::string(at - hash, '#');
  } else {
    return std::string_view::npos;
  }
  const auto end = text.find(close, from);
  return end == std::string_view::npos ? text.size() : end + close.size();
}

}  // namespace

void find_mentions(
    std::string_view text, Language language, std::string_view name,
    const std::function<bool(ByteSpan, std::uint32_t, std::uint32_t, ReferenceKind)>& f) {
  if (name.empty() || text.find(name) == std::string_view::npos) return;
  const bool hash = hash_comments(language);
  const bool slash = slash_comments(language);
  const bool quotes = language != Language::kNone && language != Language::kMarkdown &&
                      language != Language::kHtml && language != Language::kBash;
  const bool apostrophe = quotes && language != Language::kRust;
  std::uint32_t line = 0;
  std::size_t line_start = 0;
  const auto count_to = [&](std::size_t from, std::size_t to) {
    for (auto at = from; at < to; ++at) {
      if (text[at] == '\n') {
        ++line;
        line_start = at + 1;
      }
    }
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\n') {
      ++line;
      line_start = ++i;
      continue;
    }
    if ((hash && c == '#') || (slash && c == '/' && i + 1 < text.size() && text[i + 1] == '/')) {
      const auto end = text.find('\n', i);
      i = end == std::string_view::npos ? text.size() : end;
      continue;
    }
    if (slash && c == '/' && i + 1 < text.size() && text[i + 1] == '*') {
      const auto end = text.find("*/", i + 2);
      const auto to = end == std::string_view::npos ? text.size() : end + 2;
      count_to(i, to);
      i = to;
      continue;
    }
    if (c == '"' || c == '`') {
      if (const auto to = end_of_raw(text, i, language); to != std::string_view::npos) {
        count_to(i, to);
        i = to;
        continue;
      }
    }
    if (quotes && (c == '"' || (apostrophe && c == '\''))) {
      const auto triple = text.substr(i, 3);
      if (language == Language::kPython && triple.size() == 3 && triple[1] == c && triple[2] == c) {
        const auto end = text.find(triple, i + 3);
        const auto to = end == std::string_view::npos ? text.size() : end + 3;
        count_to(i, to);
        i = to;
        continue;
      }
      auto at = i + 1;
      while (at < text.size() && text[at] != c && text[at] != '\n') at += text[at] == '\\' ? 2 : 1;
      i = at < text.size() && text[at] == c ? at + 1 : i + 1;
      continue;
    }
    if (!is_word_byte(c)) {
      ++i;
      continue;
    }
    const auto begin = i;
    while (i < text.size() && is_word_byte(text[i])) ++i;
    if (i - begin != name.size() || std::memcmp(text.data() + begin, name.data(), name.size()) != 0)
      continue;
    auto next = i;
    while (next < text.size() && (text[next] == ' ' || text[next] == '\t')) ++next;
    auto kind = ReferenceKind::kRead;
    if (next < text.size() && text[next] == '(') {
      kind = ReferenceKind::kCall;
    } else if (next + 1 < text.size() && text[next] == '=' && text[next + 1] != '=' &&
               text[next + 1] != '>') {
      kind = ReferenceKind::kWrite;
    } else {
      auto start = text.substr(line_start, begin - line_start);
      while (!start.empty() && (start.front() == ' ' || start.front() == '\t'))
        start.remove_prefix(1);
      if (start.starts_with("import ") || start.starts_with("from ") || start.starts_with("use ") ||
          start.starts_with("using ")) {
        kind = ReferenceKind::kImport;
      } else if (start.ends_with("struct ") || start.ends_with("class ") ||
                 start.ends_with("enum ") || start.ends_with("new ") || start.ends_with("union ")) {
        kind = ReferenceKind::kType;
      } else if (start.ends_with("extends ") || start.ends_with("implements ")) {
        kind = ReferenceKind::kInherit;
      } else if (next < text.size() && next > i && is_word_byte(text[next])) {
        kind = ReferenceKind::kType;  // two names in a row: a declaration
      }
    }
    if (!f({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(i)}, line,
           static_cast<std::uint32_t>(begin - line_start), kind)) {
      return;
    }
  }
}

}  // namespace ambit::indexer
