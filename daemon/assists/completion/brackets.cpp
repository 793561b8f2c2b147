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

}  // namespace ambit::daemon
