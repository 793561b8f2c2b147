#include "daemon/assists/completion/brackets.h"

#include <algorithm>
#include <array>

namespace ambit::daemon {

LexicalRules lexical_rules(std::string_view path) {
  const auto dot = path.rfind('.');
  const std::string_view extension =
      dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  const auto is = [&](auto... names) { return ((extension == names) || ...); };
  LexicalRules rules;
  if (is("c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "cu", "cuh", "rs", "java", "kt", "cs",
         "swift", "scala", "zig", "proto", "m", "mm")) {
    rules.slash_comments = rules.char_literals = true;
  } else if (is("go")) {
    rules.slash_comments = rules.char_literals = rules.backticks = true;
  } else if (is("js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "css", "scss", "php",
                "dart")) {
    rules.slash_comments = rules.single_quotes = rules.backticks = true;
  } else if (is("py", "pyi")) {
    rules.hash_comments = rules.single_quotes = rules.triple_quotes = rules.indented_blocks = true;
  } else if (is("rb", "sh", "bash", "zsh", "yaml", "yml", "toml", "cmake", "pl", "r", "jl",
                "nix")) {
    rules.hash_comments = rules.single_quotes = true;
  } else if (is("lua", "sql", "hs", "elm")) {
    rules.dash_comments = rules.single_quotes = true;
  } else if (is("md", "txt", "rst", "adoc", "tex", "")) {
    rules.brackets = false;
  } else {
    rules.slash_comments = rules.single_quotes = true;
  }
  return rules;
}

BracketBalance bracket_balance(std::string_view text, const LexicalRules& rules) {
  BracketBalance balance;
  for_each_bracket(text, rules, [&](std::size_t, char bracket) {
    if (!is_closer(bracket)) {
      balance.openers += bracket;
    } else if (balance.openers.empty()) {
      balance.closers += bracket;
    } else if (closer_of(balance.openers.back()) == bracket) {
      balance.openers.pop_back();
    } else {
      // Half-typed code: `foo(bar }` — the brace closes what is further out.
      const auto partner = std::find_if(balance.openers.rbegin(), balance.openers.rend(),
                                        [&](char opener) { return closer_of(opener) == bracket; });
      if (partner == balance.openers.rend()) {
        balance.closers += bracket;
      } else {
        balance.openers.erase(std::prev(partner.base()), balance.openers.end());
      }
    }
    return true;
  });
  return balance;
}

std::optional<OpenComment> comment_at_end(std::string_view text, const LexicalRules& rules) {
  std::optional<std::size_t> begin;
  scan_brackets(
      text, rules, [](std::size_t, char) { return true; }, [&](std::size_t at) { begin = at; });
  if (!begin) return std::nullopt;
  OpenComment out;
  const auto comment = text.substr(*begin);
  for (const std::string_view mark : {"//", "/*", "\"\"\"", "'''", "--", "#"}) {
    if (!out.mark.empty() || !comment.starts_with(mark)) continue;
    out.mark = mark;
    out.one_line = mark == "//" || mark == "--" || mark == "#";
  }
  // The lines of comment above belong to it.
  auto start = *begin;
  while (out.one_line) {
    const auto line_break = text.substr(0, start).rfind('\n');
    if (line_break == std::string_view::npos) break;
    const auto before = text.substr(line_break + 1, start - line_break - 1);
    const auto above = text.substr(0, line_break).rfind('\n') + 1;  // npos + 1 is 0
    const auto first = text.find_first_not_of(" \t", above);
    if (before.find_first_not_of(" \t") != std::string_view::npos ||
        !text.substr(first).starts_with(out.mark)) {
      break;
    }
    start = first;
  }
  for (auto prose = text.substr(start); !prose.empty();) {
    const auto at = surplus_in_prose(prose, out.openers);
    if (at == std::string_view::npos) break;
    prose.remove_prefix(at + 1);
  }
  return out;
}

std::size_t surplus_in_prose(std::string_view prose, std::string& openers) {
  const auto word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  for (std::size_t i = 0; i < prose.size(); ++i) {
    const char c = prose[i];
    if (c == '(' || c == '[' || c == '{') openers += c;
    if (!is_closer(c)) continue;
    const auto partner = std::find_if(openers.rbegin(), openers.rend(),
                                      [&](char opener) { return closer_of(opener) == c; });
    if (partner != openers.rend()) {
      openers.erase(std::prev(partner.base()), openers.end());
      continue;
    }
    std::size_t item = i;
    while (item > 0 && i - item < 2 && word(prose[item - 1])) --item;
    const bool numbered = item < i && (item == 0 || prose[item - 1] == ' ');
    const bool face = i > 0 && std::string_view(":;-").find(prose[i - 1]) != std::string_view::npos;
    if (!numbered && !face) return i;
  }
  return std::string_view::npos;
}

}  // namespace ambit::daemon
