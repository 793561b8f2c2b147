// The run of whole statements that an extraction takes out, and what all languages ask of it.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "daemon/assists/refactor/refusal.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

// Keeps references to the tree and the text.
class Statements {
 public:
  // `blocks`: the nodes whose children are statements. kInvalidArgument when the selection, which
  // is trimmed, does not begin and end with one of the same block.
  [[nodiscard]] static Result<Statements> find(const indexer::SyntaxTree& tree,
                                               std::string_view text, indexer::ByteSpan selection,
                                               std::initializer_list<std::string_view> blocks);

  [[nodiscard]] std::string_view slice(std::uint32_t i) const {
    return text_.substr(tree_[i].span.begin, tree_[i].span.size());
  }
  [[nodiscard]] bool is(std::uint32_t i, std::string_view type) const {
    return i != indexer::kNoNode && tree_[i].type == type;
  }
  [[nodiscard]] bool selected(indexer::ByteSpan s) const {
    return span_.begin <= s.begin && s.end <= span_.end;
  }
  // Whether a node of one of these types is around node i, inside of the selection.
  [[nodiscard]] bool within(std::uint32_t i, std::initializer_list<std::string_view> types) const;
  // kInvalidArgument when the selection holds a node of such a type, or text over several lines.
  [[nodiscard]] Result<void> check_nodes(const std::set<std::string_view>& never,
                                         const std::set<std::string_view>& texts) const;
  // What stands in front of the first line; kInvalidArgument when the selection shares a line.
  [[nodiscard]] Result<std::string> indent() const;
  // Where node i begins, with the comment that belongs to it.
  [[nodiscard]] std::uint32_t place_before(std::uint32_t i) const;

 protected:
  Statements(const indexer::SyntaxTree& tree, std::string_view text, indexer::ByteSpan span)
      : tree_(tree), text_(text), span_(span) {}

  const indexer::SyntaxTree& tree_;
  const std::string_view text_;
  const indexer::ByteSpan span_;
  std::uint32_t block_ = 0, first_ = 0, last_ = 0;  // nodes
  bool is_last_ = true;                             // nothing but comments behind it in its block
};

}  // namespace ambit::daemon
