// Whole-word occurrences of a name, skipping comments and strings by the habits of each language.
#include <cstring>
#include <string>
#include <vector>

#include "indexer/search/snapshot.h"
#include "indexer/search/type_names.h"
#include "indexer/search/words.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxNested = 16;  // strings in the code of strings

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
    const auto prefix = hash - (hash > 1 && text[hash - 2] == 'b' ? 2 : 1);
    if (hash == at && prefix > 0 && is_word_byte(text[prefix - 1])) return std::string_view::npos;
    close = "\"" + std::string(at - hash, '#');
  } else {
    return std::string_view::npos;
  }
  const auto end = text.find(close, from);
  return end == std::string_view::npos ? text.size() : end + close.size();
}

// Behind the character of Rust whose first quote stands at `at`; npos for a lifetime.
std::size_t end_of_rust_character(std::string_view text, std::size_t at) {
  auto end = at + 1;
  if (end < text.size() && text[end] == '\\') {
    end = text.find('\'', end + 2);
    return end == std::string_view::npos || end - at > 12 ? std::string_view::npos : end + 1;
  }
  while (++end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
  }
  return end < text.size() && text[end] == '\'' ? end + 1 : std::string_view::npos;
}

// Behind the regular expression of JavaScript that begins with the '/' at `at`; npos when that
// divides, by what stands before it.
std::size_t end_of_regex(std::string_view text, std::size_t at) {
  auto before = text.substr(0, at);
  while (!before.empty() && is_blank(before.back())) before.remove_suffix(1);
  if (!before.empty() &&
      std::string_view("(,=:[!&|?{};>").find(before.back()) == std::string_view::npos &&
      !before.ends_with("return")) {
    return std::string_view::npos;
  }
  bool in_class = false;
  for (++at; at < text.size() && text[at] != '\n'; ++at) {
    const char c = text[at];
    if (c == '\\') ++at;
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    if (c == '/' && !in_class) return at + 1;
  }
  return std::string_view::npos;
}

bool has_templates(Language l) {
  return l == Language::kJavaScript || l == Language::kTypeScript || l == Language::kTsx;
}

// Whether the string whose first quote stands at `at` holds code: f"{x}", $"{x}", "${x}", "#{x}".
bool holds_code(std::string_view text, std::size_t at, Language language) {
  auto prefix = at;
  switch (language) {
    case Language::kPython:
    case Language::kScala:
      while (prefix > 0 && is_word_byte(text[prefix - 1])) --prefix;
      if (language == Language::kScala) return prefix < at;
      return at - prefix <= 2 &&
             text.substr(prefix, at - prefix).find_first_of("fF") != std::string_view::npos;
    case Language::kCSharp:
      return text.substr(at < 2 ? 0 : at - 2, at < 2 ? at : 2).find('$') != std::string_view::npos;
    case Language::kKotlin:
    case Language::kSwift:
    case Language::kRuby:
    case Language::kElixir:
    case Language::kPhp:
      return text[at] == '"';
    default:
      return has_templates(language) && text[at] == '`';
  }
}

// Behind the template of JavaScript that begins at `at`, with the templates in its code.
std::size_t end_of_template(std::string_view text, std::size_t at, std::size_t nested = 0) {
  int depth = 0;
  for (++at; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\') {
      ++at;
    } else if (c == '`') {
      if (depth == 0) return at + 1;
      if (nested == kMaxNested) return text.size();
      at = end_of_template(text, at, nested + 1) - 1;
    } else if (c == '{' && (depth > 0 || text[at - 1] == '$')) {
      ++depth;
    } else if (c == '}' && depth > 0) {
      --depth;
    }
  }
  return text.size();
}

// Code in a string: up to `close` (outside of further brackets), or one word where that is 0.
struct Field {
  std::size_t begin;
  char close;
};
// The first that begins in [at, end), else one that begins at `end`.
Field next_field(std::string_view text, std::size_t at, std::size_t end, Language language) {
  const bool braces = language == Language::kPython || language == Language::kCSharp;
  const bool hash = language == Language::kRuby || language == Language::kElixir;
  const bool words =
      language == Language::kKotlin || language == Language::kScala || language == Language::kPhp;
  for (; at + 1 < end; ++at) {
    const char c = text[at], next = text[at + 1];
    if (c == '\\') {
      if (language == Language::kSwift && next == '(') return {at + 2, ')'};
      ++at;
    } else if (braces && c == '{') {
      if (next != '{') return {at + 1, '}'};
      ++at;
    } else if (c == (hash ? '#' : '$') && next == '{') {
      return {at + 2, '}'};
    } else if (words && c == '$' && is_word_byte(next)) {
      return {at + 1, '\0'};
    }
  }
  return {end, '\0'};
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
  const bool spans_lines = language == Language::kRust;  // a string in plain quotes
  const bool dollar = has_dollar_names(language);
  const bool templates = has_templates(language);
  const auto in_name = [&](char c) { return is_word_byte(c) || (dollar && c == '$'); };
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
  struct Inside {
    std::size_t end;  // of the string
    Field field;      // of it that is being read
    int depth;        // of brackets in that
  };
  std::vector<Inside> strings;  // with code, innermost last
  std::size_t i = 0;
  const auto next_code = [&](std::size_t from) {
    auto& in = strings.back();
    in.field = next_field(text, from, in.end, language);
    in.depth = 0;
    count_to(i, in.field.begin);
    i = in.field.begin;
    if (i >= in.end) strings.pop_back();
  };
  const auto enter = [&](std::size_t from, std::size_t end) {
    if (strings.size() >= kMaxNested || !holds_code(text, i, language)) return false;
    strings.push_back({end, {}, 0});
    next_code(from);
    return true;
  };
  while (i < text.size()) {
    const char c = text[i];
    if (!strings.empty()) {
      auto& in = strings.back();
      const char close = in.field.close;
      if (i >= in.end) {
        strings.pop_back();
        continue;
      }
      if (close == '\0' ? !is_word_byte(c) : c == close && in.depth-- == 0) {
        next_code(i);
        continue;
      }
      if (c == (close == ')' ? '(' : '{')) ++in.depth;
    }
    if (c == '\n') {
      ++line;
      line_start = ++i;
      continue;
    }
    // "#" is a format in code of strings, and their end would be missed.
    if (strings.empty() &&
        ((hash && c == '#') || (slash && c == '/' && i + 1 < text.size() && text[i + 1] == '/'))) {
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
    if (c == '/' && templates) {
      const auto to = end_of_regex(text, i);
      i = to == std::string_view::npos ? i + 1 : to;
      continue;
    }
    if (c == '"' || c == '`') {
      if (const auto to = end_of_raw(text, i, language); to != std::string_view::npos) {
        count_to(i, to);
        i = to;
        continue;
      }
    }
    if (c == '`' && templates) {
      const auto to = end_of_template(text, i);
      if (to > i + 1 && text[to - 1] == '`' && enter(i + 1, to)) continue;
    }
    if (c == '\'' && language == Language::kRust) {
      const auto to = end_of_rust_character(text, i);
      i = to == std::string_view::npos ? i + 1 : to;
      continue;
    }
    if (quotes && (c == '"' || (apostrophe && c == '\''))) {
      const auto triple = text.substr(i, 3);
      if (language == Language::kPython && triple.size() == 3 && triple[1] == c && triple[2] == c) {
        const auto end = text.find(triple, i + 3);
        const auto to = end == std::string_view::npos ? text.size() : end + 3;
        if (enter(i + 3, to)) continue;
        count_to(i, to);
        i = to;
        continue;
      }
      auto at = i + 1;
      while (at < text.size() && text[at] != c && (spans_lines || text[at] != '\n'))
        at += text[at] == '\\' ? 2 : 1;
      const bool closed = at < text.size() && text[at] == c;
      if (closed && enter(i + 1, at + 1)) continue;
      const auto to = closed ? at + 1 : i + 1;
      count_to(i, to);
      i = to;
      continue;
    }
    if (!in_name(c)) {
      ++i;
      continue;
    }
    const auto begin = i;
    while (i < text.size() && in_name(text[i])) ++i;
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
