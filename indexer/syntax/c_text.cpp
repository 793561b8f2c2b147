#include "indexer/syntax/c_text.h"

#include <algorithm>
#include <string>

namespace ambit::indexer {

namespace {
constexpr std::size_t kMaxArguments = 512;
}

bool skip_comment(std::string_view text, std::size_t& at) {
  if (at + 1 >= text.size()) return false;
  if (text[at + 1] == '/') {
    const auto end = text.find('\n', at);
    at = end == std::string_view::npos ? text.size() : end;
    return true;
  }
  if (text[at + 1] == '*') {
    const auto end = text.find("*/", at + 2);
    at = end == std::string_view::npos ? text.size() : end + 2;
    return true;
  }
  return false;
}
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  if (quote == '"' && at > 0 && text[at - 1] == 'R') {  // R"tag( … )tag"
    const auto open = text.find('(', at);
    if (open != std::string_view::npos && open - at < 20) {
      const auto end =
          text.find(")" + std::string(text.substr(at + 1, open - at - 1)) + "\"", open);
      if (end != std::string_view::npos) {
        return text.find('"', end) + 1;
      }
    }
  }
  ++at;
  while (at < text.size() && text[at] != quote && text[at] != '\n') at += text[at] == '\\' ? 2 : 1;
  if (at < text.size() && text[at] == quote) ++at;
  return std::min(at, text.size());
}
std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at;
    } else if (c != '/' || !skip_comment(text, at)) {
      break;
    }
  }
  return at;
}
std::size_t skip_arguments(std::string_view text, std::size_t at) {
  int depth = 0;
  for (const auto end = std::min(text.size(), at + kMaxArguments); at < end; ++at) {
    if (text[at] == '(') ++depth;
    if (text[at] == ')' && --depth == 0) return at + 1;
    if (text[at] == ';' || text[at] == '{' || text[at] == '#') break;
  }
  return std::string_view::npos;
}

std::size_t end_of_conditional(std::string_view text, std::size_t at) {
  for (int depth = 1; at < text.size();) {
    const auto line = std::min(text.find('\n', at), text.size());
    auto w = text.find_first_not_of(" \t\n", line);
    if (w == std::string_view::npos) break;
    at = line + 1;
    if (text[w] != '#' || text.substr(line + 1, w - line - 1).find('\n') != std::string_view::npos)
      continue;
    w = text.find_first_not_of(" \t", w + 1);
    if (w == std::string_view::npos) break;
    if (text.substr(w).starts_with("if")) ++depth;
    if (text.substr(w).starts_with("endif") && --depth == 0)
      return std::min(text.find('\n', w), text.size());
  }
  return text.size();
}

}  // namespace ambit::indexer
