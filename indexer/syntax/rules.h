// The rules of a language, written in queries/NAME.scm.
//
// The files use tree-sitter's query syntax in a subset that one walk over the tree can answer
// bottom-up. The query engine reads at 15 to 38 MB/s on top of the parse (11 MB/s); this matcher
// asks, for each name that the walk meets, whether its chain of ancestors fits a pattern, and costs
// a few integer comparisons (docs/decisions/0104-index-store.md has the measurement).
//
//   (function_definition
//     declarator: (function_declarator declarator: (identifier) @name)) @definition.function
//
// A pattern is one chain from an outer node down to the node captured as @name; every step may name
// a field and may be a set [(a) (b)] or the wildcard (_). Other children in a pattern are
// conditions on the step that holds them: a field with a node type, and optionally #eq? on its
// capture. The second capture, on the name's node or on one around it, says what the name is. What
// stands around that node is only context:
//   @definition.KIND   a definition of that kind (names of SymbolKind in lower case)
//   @declaration.KIND  the same without a body: a prototype, an extern
//   @local             a variable or parameter of a function: not in the index, used to resolve
//   @reference.KIND    call, type, import, inherit, read, write, other
//   @import            the name of a module or file that this file uses
//   @owner             the name belongs in front of the scope of what the outer node defines
//   @scope             a scope without a definition of its own
//   @ignore            not a name
// The first pattern that fits decides. A pattern without an outer node is written
// ((identifier) @name) @reference.read.
// Settings:
//   (#through TYPE FIELD)     a child in FIELD ("_": any) of TYPE counts as a child of TYPE's
//   parent
//   (#wrapper TYPE...)        span and doc comment of a definition start at such a parent
//   (#wrapper-single TYPE...) the same, where that parent holds nothing else
//   (#comment TYPE...)        comments
//   (#text TYPE...)          raw text, such as the body of a macro: its words are mentions
//   (#body PATH...)           "value.body": fields from the definition to what a signature leaves
//   out
//   (#locals TYPE...)         variables and constants below such a node are locals
//   (#docstring TYPE...)      chain of first children from the body to the doc string
//   (#public-if TYPE)         exported only with such a child or wrapper
//   (#private-if TYPE TEXT)   not exported with such a child that holds TEXT
//   (#private-prefix TEXT)    names that begin so are not exported
//   (#no-name WORD...)        words that never name a definition; "_" never does
//   (#brace-blocks)           what is indented in a range with errors is local
//   (#public-uppercase)       names that begin with a capital are exported, others are not
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::indexer {

// The text of a rules file compiled into the program; "" when there is none.
[[nodiscard]] std::string_view rules_text(std::string_view name);

struct RuleNode {
  std::string field;               // "" when any
  std::vector<std::string> types;  // "_" is any named node
  bool name = false;               // captured as @name
  std::string meaning;             // @definition.KIND and so on
  std::string capture;             // any other capture
  std::vector<RuleNode> children;
};

struct RulePattern {
  RuleNode root;
  std::vector<std::pair<std::string, std::string>> equal;  // capture, text
  std::uint32_t line = 0;
};

struct RuleSetting {
  std::string name;
  std::vector<std::string> words;
};

struct RuleFile {
  std::vector<RulePattern> patterns;
  std::vector<RuleSetting> settings;
};

[[nodiscard]] Result<RuleFile> parse_rules(std::string_view text);

}  // namespace ambit::indexer
