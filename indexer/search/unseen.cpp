#include "indexer/search/unseen.h"

#include <algorithm>
#include <array>

#include "indexer/search/words.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxMentions = 200;
constexpr std::size_t kMaxStatement = 2000;

constexpr std::array kNoType =
    std::to_array<std::string_view>({"break", "case", "continue", "do", "else", "for", "goto", "if",
                                     "return", "sizeof", "switch", "while"});

// Behind the ')' of the '(' at `open`; npos without one.
std::size_t behind_parentheses(std::string_view s, std::size_t open) {
  int depth = 0;
  for (auto at = open; at < s.size() && at - open < kMaxStatement; ++at) {
    if (s[at] == '(') ++depth;
    if (s[at] == ')' && --depth == 0) return at + 1;
  }
  return std::string_view::npos;
}

constexpr int kMaxMacros = 16;  // that are looked into for one member

// Words that stand where a member could be declared and look like macros: NAME or NAME(…), without
// a type before them.
std::vector<std::string> macros_in(std::string_view body) {
  std::vector<std::string> out;
  bool fresh = true;
  for (std::size_t at = 0; at < body.size();) {
    if (!is_word_byte(body[at])) {
      if (body[at] == ';' || body[at] == '{' || body[at] == '\n') fresh = true;
      ++at;
      continue;
    }
    const auto w = word_at(body, at);
    at += w.size();
    const bool shouts =
        std::none_of(w.begin(), w.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    if (fresh && shouts && w.size() > 2) {
      out.emplace_back(w);
    } else {
      fresh = false;
    }
  }
  return out;
}

// Whether the name at `at` is declared by the statement that begins at `begin`.
bool declares(std::string_view s, std::size_t begin, std::size_t at) {
  begin = skip_blanks(s, begin);
  auto first = word_at(s, begin);
  if (first == "for" && skip_blanks(s, begin + 3) < s.size() &&
      s[skip_blanks(s, begin + 3)] == '(') {
    begin = skip_blanks(s, skip_blanks(s, begin + 3) + 1);
    first = word_at(s, begin);
  }
  if (first.empty() || begin >= at ||
      std::find(kNoType.begin(), kNoType.end(), first) != kNoType.end())
    return false;
  const auto next = skip_blanks(s, begin + first.size());
  if (next < s.size() && s[next] == '(') {  // MACRO(… name …) {
    const auto behind = behind_parentheses(s, next);
    if (behind == std::string_view::npos || behind <= at) return false;
    const auto block = skip_blanks(s, behind);
    return block < s.size() && s[block] == '{';
  }
  // Type name, Type *other = f(x), name
  if (next >= s.size() || (s[next] != '*' && !is_word_byte(s[next]))) return false;
  int depth = 0;
  for (auto i = next; i < at; ++i) {
    if (s[i] == '(' || s[i] == '[') ++depth;
    if (s[i] == ')' || s[i] == ']') --depth;
  }
  if (depth != 0) return false;
  auto before = at;
  while (before > next && (is_blank(s[before - 1]) || s[before - 1] == '*')) --before;
  return before <= next || s[before - 1] == ',' || is_word_byte(s[before - 1]);
}

}  // namespace

std::optional<ByteSpan> declared_in_function(const ParsedText& parsed, std::string_view name,
                                             std::size_t use) {
  const std::string_view text = *parsed.text;
  const Definition* around = nullptr;
  for (const auto& d : parsed.facts().definitions) {
    if ((d.kind == SymbolKind::kFunction || d.kind == SymbolKind::kMethod) && d.span.begin <= use &&
        use < d.span.end) {
      around = &d;
    }
  }
  if (around == nullptr) return std::nullopt;
  const auto base = around->name.end;
  const auto body = text.substr(base, use - base);
  const auto brace = body.find('{');
  std::optional<ByteSpan> out;
  find_mentions(
      body, parsed.language, name, [&](ByteSpan at, std::uint32_t, std::uint32_t, ReferenceKind) {
        const auto end = skip_blanks(text, base + at.end);
        const char next = end < text.size() ? text[end] : '\0';
        if (std::string_view(",;=[):").find(next) == std::string_view::npos) return true;
        const auto stop =
            at.begin == 0 ? std::string_view::npos : body.find_last_of(";{}", at.begin - 1);
        const bool parameter = at.begin < brace;
        if (parameter || declares(body, stop == std::string_view::npos ? 0 : stop + 1, at.begin)) {
          out = {base + at.begin, base + at.end};
        }
        return !out;
      });
  return out;
}

std::optional<Symbol> member_of_macro(const SnapshotImpl& snapshot,
                                      const std::vector<std::string>& types,
                                      std::string_view name) {
  const auto is_struct = [](const Symbol& s) {
    return s.kind == SymbolKind::kStruct || s.kind == SymbolKind::kUnion ||
           s.kind == SymbolKind::kTypeAlias || s.kind == SymbolKind::kClass;
  };
  std::vector<std::string> macros;
  for (const auto& type : types) {
    for (const auto& s : snapshot.definitions(type, 6)) {
      if (!is_struct(s) || s.declaration_only) continue;
      const auto text = snapshot.text(s.path);
      if (!text || s.span.end > text->size()) continue;
      for (auto& m : macros_in(std::string_view(*text).substr(s.span.begin, s.span.size())))
        macros.push_back(std::move(m));
    }
  }
  for (std::size_t i = 0; i < macros.size() && i < kMaxMacros; ++i) {
    for (const auto& s : snapshot.definitions(macros[i], 6)) {
      if (s.kind != SymbolKind::kMacro) continue;
      const auto text = snapshot.text(s.path);
      if (!text || s.span.end > text->size()) continue;
      auto body = text->substr(s.name_span.end, s.span.end - s.name_span.end);
      std::replace(body.begin(), body.end(), '\\', ' ');
      std::optional<Symbol> found;
      find_mentions(body, Language::kC, name,
                    [&](ByteSpan at, std::uint32_t line, std::uint32_t, ReferenceKind) {
                      const auto end = skip_blanks(body, at.end);
                      if (end >= body.size() ||
                          std::string_view(";[,:").find(body[end]) == std::string_view::npos) {
                        return true;
                      }
                      found = s;
                      found->name = name;
                      found->kind = SymbolKind::kField;
                      found->name_span = {s.name_span.end + at.begin, s.name_span.end + at.end};
                      found->line = s.line + line;
                      const auto newline = text->rfind('\n', found->name_span.begin);
                      found->column = static_cast<std::uint32_t>(
                          newline == std::string::npos ? found->name_span.begin
                                                       : found->name_span.begin - newline - 1);
                      found->span = found->name_span;
                      found->end_line = found->line;
                      return false;
                    });
      if (found) return found;
      for (auto& m : macros_in(body)) macros.push_back(std::move(m));
    }
  }
  return std::nullopt;
}

std::optional<Symbol> made_by_macro(const SnapshotImpl& snapshot, std::string_view path,
                                    std::string_view name) {
  std::optional<Symbol> best;
  for (const auto& r : snapshot.references(name, kMaxMentions)) {
    const auto language = language_of(r.path);
    if (family_of(language) != family_of(Language::kC)) continue;
    if (best && r.path != path) continue;
    const auto content = snapshot.text(r.path);
    if (!content || r.span.end > content->size()) continue;
    const std::string_view text = *content;
    const auto begin = r.span.begin - std::min(r.span.begin, r.column);
    const auto macro = word_at(text, skip_blanks(text, begin));
    const auto open = skip_blanks(text, skip_blanks(text, begin) + macro.size());
    if (macro.empty() || open >= text.size() || text[open] != '(' ||
        skip_blanks(text, open + 1) != r.span.begin)
      continue;
    const auto symbols = snapshot.symbols_in(r.path);
    const bool inside = std::any_of(symbols.begin(), symbols.end(), [&](const Symbol& s) {
      return s.span.begin <= r.span.begin && r.span.end <= s.span.end &&
             (s.kind == SymbolKind::kFunction || s.kind == SymbolKind::kMethod);
    });
    if (inside) continue;
    Symbol s;
    s.path = r.path;
    s.name = name;
    s.kind = SymbolKind::kConstant;
    s.span = s.name_span = r.span;
    s.line = s.end_line = r.line;
    s.column = r.column;
    s.signature = text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
    if (r.path == path) return s;
    best = std::move(s);
  }
  return best;
}

}  // namespace ambit::indexer
