#include "indexer/syntax/change.h"

namespace ambit::indexer {

TextChange change_between(std::string_view a, std::string_view b) {
  const auto common = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  const auto prefix = std::mismatch(a.begin(), a.begin() + common, b.begin()).first - a.begin();
  const auto suffix =
      std::mismatch(a.rbegin(), a.rbegin() + common - prefix, b.rbegin()).first - a.rbegin();
  TextChange c;
  c.begin = static_cast<std::uint32_t>(prefix);
  c.end = static_cast<std::uint32_t>(static_cast<std::ptrdiff_t>(a.size()) - suffix);
  c.bytes = static_cast<std::int64_t>(b.size()) - static_cast<std::int64_t>(a.size());
  c.lines = std::count(b.begin() + prefix, b.end() - suffix, '\n') -
            std::count(a.begin() + prefix, a.end() - suffix, '\n');
  return c;
}

bool touches_directive(std::string_view text, std::size_t begin, std::size_t end) {
  while (begin > 0 && text[begin - 1] != '\n') --begin;
  end = std::min(text.find('\n', end), text.size());
  return text.substr(begin, end - begin).find('#') != std::string_view::npos;
}

bool opens_or_closes(std::string_view text) {
  const auto count = [&](std::string_view what) {
    std::size_t n = 0;
    for (auto at = text.find(what); at != std::string_view::npos;
         at = text.find(what, at + what.size()))
      ++n;
    return n;
  };
  return count("/*") != count("*/") || count("\"\"\"") % 2 != 0 || count("'''") % 2 != 0 ||
         count("`") % 2 != 0 || count("<!--") != count("-->") || count("[[") != count("]]") ||
         count("=begin") != count("=end") || count("<<") != 0 || count("?>") != 0;
}

std::optional<std::size_t> odd_bracket(std::string_view node, std::size_t end) {
  for (const auto& [open, close] :
       {std::pair('(', ')'), std::pair('[', ']'), std::pair('{', '}')}) {
    const auto n =
        std::count(node.begin(), node.end(), open) - std::count(node.begin(), node.end(), close);
    if (n == 0) continue;
    int depth = 0;
    for (auto i = std::min(end, node.size()); i-- > 0;) {
      if (n < 0 && node[i] == close) return i;
      if (node[i] == close) ++depth;
      if (node[i] == open && --depth < 0) return i;
    }
  }
  return std::nullopt;
}

}  // namespace ambit::indexer
