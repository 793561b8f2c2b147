// The syntax tree of one text as plain data, for refactors that need the exact shape of the code at
// one place. The index never keeps such trees: extract.h has what it needs, in a fraction of the
// memory.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "indexer/syntax/languages.h"
#include "indexer/types.h"

namespace ambit::indexer {

inline constexpr std::uint32_t kNoNode = 0xFFFFFFFF;

struct SyntaxNode {
  std::string_view type;   // the grammar's name of it: "call_expression", "("; lives for ever
  std::string_view field;  // of the parent, "" for none; lives for ever
  ByteSpan span;
  std::uint32_t parent = kNoNode;
  std::uint32_t after = 0;  // the first node that is not below this one
  bool named = false;       // no punctuation, no keyword
  bool broken = false;      // an error or a missing token
};

class SyntaxTree {
 public:
  // kUnsupported for a language without a grammar; kResourceExhausted above 4 MiB or a million
  // nodes; kTimeout after two seconds. Positions are those of `text`.
  [[nodiscard]] static Result<SyntaxTree> parse(Language language, std::string_view text);

  // In the order of the text, parents before children; 0 is the root.
  [[nodiscard]] const std::vector<SyntaxNode>& nodes() const { return nodes_; }
  [[nodiscard]] const SyntaxNode& operator[](std::uint32_t i) const { return nodes_[i]; }
  // The smallest node that holds the span; of several with the same span the outermost.
  [[nodiscard]] std::uint32_t around(ByteSpan span) const;
  [[nodiscard]] std::vector<std::uint32_t> children(std::uint32_t i) const;
  // The child in this field, kNoNode when there is none.
  [[nodiscard]] std::uint32_t child(std::uint32_t i, std::string_view field) const;
  [[nodiscard]] bool holds_error(std::uint32_t i) const;

 private:
  std::vector<SyntaxNode> nodes_;
};

}  // namespace ambit::indexer
