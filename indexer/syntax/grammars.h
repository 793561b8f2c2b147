// Compiled rules beside their grammar, made on first use and kept for ever. For indexer/syntax
// only.
#pragma once

#include <array>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "indexer/syntax/languages.h"
#include "indexer/types.h"

struct TSLanguage;

namespace ambit::indexer {

using NodeType = std::uint16_t;
using FieldId = std::uint16_t;
inline constexpr NodeType kAnyType = 0xFFFF;
inline constexpr FieldId kAnyField = 0;

enum class Meaning : std::uint8_t {
  kDefinition,
  kDeclaration,
  kLocal,
  kReference,
  kImport,
  kOwner,
  kScope,
  kIgnore
};

// A condition: the node at `step` has a child in `field` of one of `types` whose text is `text`
// (any text when it is empty).
struct Condition {
  std::uint8_t step = 0;
  FieldId field = kAnyField;
  std::vector<NodeType> types;
  std::string text;
};

struct Step {
  FieldId field = kAnyField;    // of this node in its parent
  std::vector<NodeType> types;  // empty: any
};

struct Pattern {
  std::vector<Step> steps;  // the name first, the outer node last
  std::vector<Condition> conditions;
  std::uint8_t outer = 0;  // the step that is the definition, the statement and so on
  Meaning meaning = Meaning::kIgnore;
  SymbolKind kind = SymbolKind::kFunction;
  ReferenceKind reference = ReferenceKind::kOther;
};

struct TypeTraits {
  bool token = false;  // punctuation or a keyword: no rule can mean it
  bool comment = false;
  bool wrapper = false;
  bool wrapper_single = false;
  bool locals = false;
  bool text = false;
  bool through_any = false;
  std::vector<FieldId> through;         // fields whose children are seen through this node
  std::vector<std::uint16_t> patterns;  // for nodes of this type as the name, in file order
};

struct Grammar {
  const TSLanguage* language = nullptr;
  std::vector<Pattern> patterns;
  std::vector<TypeTraits> types;  // by node type
  std::vector<std::vector<FieldId>> bodies;
  std::vector<NodeType> docstring;
  std::vector<NodeType> public_if;
  std::vector<std::pair<NodeType, std::string>> private_if;
  std::string private_prefix;
  bool public_uppercase = false;
  bool brace_blocks = false;
  std::set<std::string, std::less<>> no_names;  // words that never name a definition
  std::string error;  // why there are no rules: a file of ours with a mistake; tests look at it
};

// Null for kNone. Thread-safe.
[[nodiscard]] const Grammar* grammar_of(Language language);

}  // namespace ambit::indexer
