// Of Receivers: Go, where types stand behind names, functions begin with capitals, structs have
// what they embed, and literals name their fields.
#include <optional>

#include "indexer/search/imports.h"
#include "indexer/search/receiver.h"
#include "indexer/search/words.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxStruct = std::size_t{64} << 10;

std::size_t skip_spaces(std::string_view s, std::size_t at) {
  while (at < s.size() && (s[at] == ' ' || s[at] == '\t')) ++at;
  return at;
}

std::size_t back_over_blanks(std::string_view s, std::size_t end) {
  while (end > 0 && is_blank(s[end - 1])) --end;
  return end;
}

// Behind the text, character or comment that begins at `at`; `at` when none does.
std::size_t behind_opaque(std::string_view s, std::size_t at) {
  const char c = s[at];
  const auto behind = [&](std::string_view close, std::size_t from) {
    const auto end = s.find(close, from);
    return end == std::string_view::npos ? s.size() : end + close.size();
  };
  if (c == '`') return behind("`", at + 1);
  if (c == '/' && s.substr(at).starts_with("//")) return behind("\n", at) - 1;
  if (c == '/' && s.substr(at).starts_with("/*")) return behind("*/", at + 2);
  if (c != '"' && c != '\'') return at;
  for (++at; at < s.size() && s[at] != c && s[at] != '\n'; ++at) at += s[at] == '\\' ? 1 : 0;
  return std::min(at + 1, s.size());
}

bool opens(char c) {
  return c == '{' || c == '(' || c == '[';
}
bool closes(char c) {
  return c == '}' || c == ')' || c == ']';
}

// Behind the bracket that closes the one at `at`.
std::size_t behind_bracket(std::string_view s, std::size_t at) {
  int depth = 0;
  while (at < s.size()) {
    if (const auto to = behind_opaque(s, at); to != at) {
      at = to;
      continue;
    }
    if (opens(s[at])) ++depth;
    if (closes(s[at]) && --depth == 0) return at + 1;
    ++at;
  }
  return s.size();
}

// Where the expression at `at` ends: before what follows it on its line.
std::size_t end_of_operand(std::string_view s, std::size_t at) {
  while (at < s.size() && (s[at] == '&' || s[at] == '*')) ++at;
  while (at < s.size()) {
    if (opens(s[at])) {
      at = behind_bracket(s, at);
    } else if (is_name_byte(s[at]) || s[at] == '.') {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

// The open brackets before `end`, innermost last, and where those that were closed began.
struct Brackets {
  std::vector<std::size_t> open;
  std::vector<std::pair<std::size_t, std::size_t>> closed;  // close, open
};
Brackets brackets_before(std::string_view s, std::size_t from, std::size_t end) {
  Brackets out;
  for (auto at = from; at < end;) {
    if (const auto to = behind_opaque(s, at); to != at) {
      at = to;
      continue;
    }
    if (opens(s[at])) {
      out.open.push_back(at);
    } else if (closes(s[at]) && !out.open.empty()) {
      out.closed.emplace_back(at, out.open.back());
      out.open.pop_back();
    }
    ++at;
  }
  return out;
}

}  // namespace

// []*pkg.T, map[K]T, chan T, struct { … }: what they hold in the end.
Receivers::Type Receivers::go_type(std::string_view text, std::size_t at, bool own_text) const {
  for (;;) {
    at = skip_spaces(text, at);
    if (at >= text.size()) return {};
    if (text[at] == '*' || text[at] == '&' || text[at] == '(' || text[at] == '.' ||
        text[at] == '<' || text[at] == '-') {
      ++at;
      continue;
    }
    if (text[at] == '[') {
      at = behind_bracket(text, at);
      continue;
    }
    const auto word = name_at(text, at);
    if (word == "map" || word == "chan") {
      at += word.size();
      continue;
    }
    if (word == "func" || word == "interface" || word.empty()) return {};
    if (word == "struct") {
      at = skip_spaces(text, at + word.size());
      if (!own_text || at >= text.size() || text[at] != '{') return {};
      return {"", false, static_cast<std::uint32_t>(at)};
    }
    at += word.size();
    if (at < text.size() && text[at] == '.') return {std::string(name_at(text, at + 1)), false, 0};
    return {std::string(word), false, 0};
  }
}

// T{…}, &T{…}, []T{…}, make(T), new(T), x.(T), f(…), a.b
Receivers::Type Receivers::go_value(std::string_view text, std::size_t at, int depth,
                                    bool own_text) const {
  auto name = at;
  while (name < text.size() && (text[name] == '&' || text[name] == '*')) ++name;
  const auto word = name_at(text, name);
  auto behind = name + word.size();
  if (behind < text.size() && text[behind] == '.') behind += 1 + name_at(text, behind + 1).size();
  const char next = behind < text.size() ? text[behind] : '\0';
  if (word == "map" || word == "struct" || (word.empty() && text.substr(name).starts_with('[')) ||
      (next == '{' && !word.empty())) {
    return go_type(text, name, own_text);
  }
  if ((word == "make" || word == "new") && next == '(') return go_type(text, behind + 1, own_text);
  const auto end = end_of_operand(text, at);
  if (end > at + 1 && text[end - 1] == ')') {
    const auto open = text.rfind(".(", end);
    if (open != std::string_view::npos && open > at && behind_bracket(text, open + 1) == end)
      return go_type(text, open + 2, own_text);
  }
  if (own_text) return before(end, depth);
  if (next != '(') return {};
  const auto dot = text.substr(name, behind - name).find('.');
  return dot == std::string_view::npos ? go_returned(word, "", depth)
                                       : go_returned(name_at(text, name + dot + 1), word, depth);
}

// `name T`, `name, other T`, `name := value`, `for _, name := range value`
Receivers::Type Receivers::go_declared(std::string_view text, std::size_t name_begin,
                                       std::size_t name_end, int depth, bool own_text) const {
  const auto left = back_over_blanks(text, name_begin);
  const bool first = left == 0 || text[left - 1] != ',';
  auto at = skip_spaces(text, name_end);
  while (at < text.size() && text[at] == ',') {
    at = skip_spaces(text, at + 1);
    const auto other = name_at(text, at);
    if (other.empty()) return {};
    at = skip_spaces(text, at + other.size());
  }
  const bool made = text.substr(at).starts_with(":=");
  if (made || (text.substr(at).starts_with("=") && !text.substr(at).starts_with("=="))) {
    const auto value = skip_spaces(text, at + (made ? 2 : 1));
    if (name_at(text, value) != "range")
      return first ? go_value(text, value, depth, own_text) : Type{};
    return first ? Type{} : go_value(text, skip_spaces(text, value + 5), depth, own_text);
  }
  if (at < text.size() &&
      (is_name_byte(text[at]) || text[at] == '*' || text[at] == '[' || text[at] == '.')) {
    return go_type(text, at, own_text);
  }
  return {};
}

// Of the function of a package ("": this file's) what it returns first.
Receivers::Type Receivers::go_returned(std::string_view function, std::string_view package,
                                       int depth) const {
  const auto all = snapshot_.definitions(function, 40);
  const auto here = [&](const Symbol& s) {
    const auto folder = folder_of(s.path);
    return package.empty() ? folder == folder_of(path_)
                           : folder.substr(folder.rfind('/') + 1) == package;
  };
  for (const bool near : {true, false}) {
    for (const auto& s : all) {
      if (s.kind != SymbolKind::kFunction || here(s) != near) continue;
      if (auto type = of_symbol(s, depth + 1); !type.name.empty()) return type;
    }
  }
  if (!package.empty()) return {};
  for (const auto& s : all) {  // a conversion
    if (is_type(s.kind)) return {s.name, false, 0};
  }
  return {};
}

std::vector<Receivers::Embedded> Receivers::go_embedded(const Symbol& type) const {
  std::vector<Embedded> out;
  const auto content = snapshot_.text(type.path);
  if (!content || type.span.end > content->size() || type.span.size() > kMaxStruct) return out;
  const auto body = std::string_view(*content).substr(type.span.begin, type.span.size());
  auto at = body.find('{');
  while (at < body.size()) {  // a line with nothing but a name
    at = body.find('\n', at);
    if (at == std::string_view::npos) break;
    at = skip_blanks(body, at);
    if (at < body.size() && body[at] == '*') ++at;
    auto word = name_at(body, at);
    at += word.size();
    if (at < body.size() && body[at] == '.') {
      word = name_at(body, at + 1);
      at += 1 + word.size();
    }
    if (word.empty()) continue;
    const auto end = skip_spaces(body, at);
    if (end >= body.size() || body[end] == '\n' || body[end] == '/' || body[end] == '`')
      out.push_back(
          {std::string(word), type.span.begin + static_cast<std::uint32_t>(at - word.size())});
  }
  return out;
}

std::optional<std::pair<std::string, std::uint32_t>> Receivers::go_embedded_field(
    const std::vector<std::string>& types, std::string_view name) const {
  for (const auto& type : types) {
    for (const auto& s : snapshot_.definitions(type, 6)) {
      if (s.kind != SymbolKind::kStruct) continue;
      for (const auto& e : go_embedded(s)) {
        if (e.name == name) return std::pair(s.path, e.begin);
      }
    }
  }
  return std::nullopt;
}

// The word before a dot: the folder of a package, "" when it is a variable or nothing imported.
std::string_view Receivers::go_package_of(std::size_t dot) const {
  auto begin = dot;
  while (begin > 0 && is_name_byte(text_[begin - 1])) --begin;
  const auto word = text_.substr(begin, dot - begin);
  if (word.empty() || (begin > 0 && text_[begin - 1] == '.') || local(word, begin, dot) != nullptr)
    return {};
  const auto* import = go_package(text_, parsed_.facts().imports, word);
  return import == nullptr ? std::string_view() : word;
}

Receivers::Type Receivers::go_key_owner(std::size_t begin, std::size_t end) const {
  const auto colon = skip_blanks(text_, end);
  if (colon >= text_.size() || text_[colon] != ':' || text_.substr(colon).starts_with(":="))
    return {};
  std::size_t from = begin;
  for (const auto& d : parsed_.facts().definitions) {
    if (d.span.begin < from && d.span.end > begin) from = d.span.begin;
  }
  const auto brackets = brackets_before(text_, from, begin);
  for (auto i = brackets.open.size(); i > 0; --i) {
    const auto brace = brackets.open[i - 1];
    if (text_[brace] != '{') return {};
    const auto left = back_over_blanks(text_, brace);
    if (left == 0) return {};
    const char c = text_[left - 1];
    if (c == '{' || c == ',' || c == ':' || c == '&') continue;  // the type is that of the elements
    if (left != brace) return {};                                // a block
    if (c == '}') {
      for (const auto& [close, open] : brackets.closed) {
        if (close == left - 1 && text_.substr(0, back_over_blanks(text_, open)).ends_with("struct"))
          return {"", false, static_cast<std::uint32_t>(open)};
      }
      return {};
    }
    auto name = left;
    while (name > 0 && is_name_byte(text_[name - 1])) --name;
    Type out{std::string(text_.substr(name, left - name)), false, 0};
    for (const auto& s : snapshot_.definitions(text_.substr(begin, end - begin), 200)) {
      if (is_scope_of(s.scope, out.name)) return out;
    }
    return {};
  }
  return {};
}

}  // namespace ambit::indexer
