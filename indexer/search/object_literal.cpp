#include "indexer/search/object_literal.h"

#include <algorithm>

#include "indexer/search/words.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxBack = 2000;  // bytes before a key

}  // namespace

std::uint32_t key_of_literal(std::string_view text, std::uint32_t brace, std::string_view key) {
  int depth = 0;
  bool fresh = false;
  for (std::size_t at = brace; at < text.size() && at < brace + 8000U; ++at) {
    const char c = text[at];
    if (c == '{' || c == '(' || c == '[') {
      ++depth;
      fresh = depth == 1;
    } else if (c == '}' || c == ')' || c == ']') {
      if (--depth == 0) return 0;
    } else if (c == ',' || c == ';' || c == '\n') {
      fresh = depth == 1;
    } else if (c == '/' && at + 1 < text.size() && text[at + 1] == '/') {
      at = std::min(text.find('\n', at), text.size()) - 1;
    } else if (is_name_byte(c)) {
      const auto w = name_at(text, at);
      if (w == "readonly") {
        at += w.size() - 1;
        continue;
      }
      if (fresh && w == key) return static_cast<std::uint32_t>(at);
      fresh = false;
      at += w.size() - 1;
    } else if (!is_blank(c)) {
      fresh = false;
    }
  }
  return 0;
}

std::set<std::string> keys_around(std::string_view text, std::size_t at) {
  std::set<std::string> out;
  // A key stands behind { or , and before : or , or }.
  const auto end = skip_blanks(text, at + name_at(text, at).size());
  if (end >= text.size() || std::string_view(":,}?").find(text[end]) == std::string_view::npos)
    return out;
  auto open = at;
  int depth = 0;
  bool first = true;
  for (; open > 0 && at - open < kMaxBack; --open) {
    const char c = text[open - 1];
    if (first && !is_blank(c)) {
      if (c != '{' && c != ',') return out;
      first = false;
    }
    if (c == '}' || c == ')' || c == ']') ++depth;
    if ((c == '{' || c == '(' || c == '[') && depth-- == 0) break;
  }
  if (open == 0 || text[open - 1] != '{') return out;
  // `${name}` in a text and `import { name }` are no literals.
  if (open > 1 && text[open - 2] == '$') return out;
  auto line = text.substr(0, open - 1);
  if (const auto begin = line.find_last_of(";\n"); begin != std::string_view::npos) {
    line.remove_prefix(begin + 1);
  }
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  if (line.starts_with("import") || line == "export" || line == "export type") return out;
  depth = 0;
  bool fresh = true;
  for (auto i = open; i < text.size() && i < open + kMaxBack; ++i) {
    const char c = text[i];
    if (c == '{' || c == '(' || c == '[') ++depth;
    if ((c == '}' || c == ')' || c == ']') && depth-- == 0) break;
    if (c == ',' && depth == 0) {
      fresh = true;
    } else if (is_name_byte(c)) {
      const auto w = name_at(text, i);
      if (fresh && depth == 0) out.emplace(w);
      fresh = false;
      i += w.size() - 1;
    } else if (!is_blank(c)) {
      fresh = false;
    }
  }
  return out;
}

}  // namespace ambit::indexer
