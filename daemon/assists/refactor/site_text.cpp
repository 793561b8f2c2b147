#include "daemon/assists/refactor/site_text.h"

#include <algorithm>

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;

std::string_view stem_of(std::string_view path) {
  const auto base = base_of(path);
  return base.substr(0, base.find('.'));
}

bool has_word(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at == 0 || !word_byte(text[at - 1])) && (end == text.size() || !word_byte(text[end]))) {
      return true;
    }
  }
  return false;
}

bool word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

std::string last_name(std::string_view scope) {
  auto at = scope.size();
  while (at > 0 && scope[at - 1] != ':' && scope[at - 1] != '.') --at;
  auto out = scope.substr(at);
  return std::string(out.substr(0, out.find('<')));
}

Around around(std::string_view text, std::size_t begin, Language language) {
  Around out;
  auto at = begin;
  const auto skip = [&] {
    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t')) --at;
  };
  // Elsewhere an arrow leads to a type or a body.
  const bool arrow = c_family(language) || language == Language::kPhp;
  if (arrow && at >= 2 && text.substr(at - 2, 2) == "->") {
    at -= 2;
    out.member = true;
    const auto stop = at;
    while (at > 0 && word_byte(text[at - 1])) --at;
    out.qualifier = text.substr(at, stop - at);
    out.qualifier_at = at;
    return out;
  }
  skip();
  if (at >= 2 && (text.substr(at - 2, 2) == "?." || text.substr(at - 2, 2) == "!.")) {
    out.member = true;
    at -= 2;
  } else if (at >= 1 && text[at - 1] == '.' && !(at >= 2 && text[at - 2] == '.')) {
    out.member = true;
    at -= 1;
    // A chain over lines: the receiver stands at the end of an earlier line.
    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t' || text[at - 1] == '\n' ||
                      text[at - 1] == '\r')) {
      --at;
    }
  } else if (at >= 2 && text.substr(at - 2, 2) == "::") {
    out.scoped = true;
    at -= 2;
  } else {
    return out;
  }
  const auto end = at;
  while (at > 0 && word_byte(text[at - 1])) --at;
  out.qualifier = text.substr(at, end - at);
  out.qualifier_at = at;
  return out;
}

std::string declaration_of(std::string_view text, ByteSpan name, Language language) {
  auto begin = name.begin;
  while (begin > 0 && text[begin - 1] != '\n' && text[begin - 1] != ';' && text[begin - 1] != '{' &&
         text[begin - 1] != '(' && name.begin - begin < 200) {
    if (text[begin - 1] == ',' &&
        std::count(text.begin() + begin, text.begin() + name.begin, '>') ==
            std::count(text.begin() + begin, text.begin() + name.begin, '<')) {
      break;
    }
    --begin;
  }
  std::size_t end = name.end;
  const std::string_view stops = c_family(language) ? ";,)\n" : ",)\n";
  while (end < text.size() && stops.find(text[end]) == std::string_view::npos &&
         end - name.end < 200) {
    ++end;
  }
  return std::string(text.substr(begin, end - begin));
}

bool tagged(std::string_view text, std::size_t begin) {
  auto before = text.substr(0, begin);
  while (!before.empty() && (before.back() == ' ' || before.back() == '\t'))
    before.remove_suffix(1);
  for (const std::string_view tag : {"struct", "class", "union", "enum"}) {
    if (before.ends_with(tag) &&
        (before.size() == tag.size() || !word_byte(before[before.size() - tag.size() - 1]))) {
      return true;
    }
  }
  return false;
}

bool is_key(std::string_view text, ByteSpan at, Language language) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  auto before = static_cast<std::size_t>(at.begin), after = static_cast<std::size_t>(at.end);
  while (before > 0 && blank(text[before - 1])) --before;
  while (after < text.size() && blank(text[after])) ++after;
  if (before == 0 || after >= text.size()) return false;
  const char left = text[before - 1], right = text[after];
  const char next = after + 1 < text.size() ? text[after + 1] : ' ';
  if (language == Language::kPython) {
    return (left == '(' || left == ',') && right == '=' && next != '=';
  }
  if (script_family(language) || language == Language::kRust || language == Language::kGo) {
    return (left == '{' || left == ',') && right == ':' && next != ':' && next != '=';
  }
  return false;
}

bool is_shorthand(std::string_view text, ByteSpan at, Language language) {
  if (!script_family(language) && language != Language::kRust) return false;
  auto before = static_cast<std::size_t>(at.begin), after = static_cast<std::size_t>(at.end);
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (before > 0 && blank(text[before - 1])) --before;
  while (after < text.size() && blank(text[after])) ++after;
  if (before == 0 || after >= text.size()) return false;
  if (text[before - 1] != '{' && text[before - 1] != ',') return false;
  if (text[after] != '}' && text[after] != ',') return false;
  int depth = 0;
  for (auto i = before; i-- > 0;) {
    const char c = text[i];
    if (c == ')' || c == ']' || c == '}') ++depth;
    if (c != '(' && c != '[' && c != '{') continue;
    if (depth-- > 0) continue;
    if (c != '{') return false;
    // ${name} in a template, <b>{name}</b> and prop={name} in JSX, => {name}: expressions.
    const char left = i > 0 ? text[i - 1] : ' ';
    const bool jsx = language == Language::kTsx || language == Language::kJavaScript;
    if (left == '$' || left == '>' || (left == '=' && jsx)) return false;
    auto line = i;
    while (line > 0 && text[line - 1] != '\n' && text[line - 1] != ';') --line;
    auto head = text.substr(line, i - line);
    while (!head.empty() && blank(head.front())) head.remove_prefix(1);
    while (!head.empty() && blank(head.back())) head.remove_suffix(1);
    return !head.starts_with("import") && head != "export" && head != "export type" &&
           !head.starts_with("use ") && !head.starts_with("pub use ");
  }
  return false;
}

}  // namespace ambit::daemon
