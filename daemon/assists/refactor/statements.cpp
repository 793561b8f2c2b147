#include "daemon/assists/refactor/statements.h"

#include <algorithm>

#include "daemon/assists/refactor/extract.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::SyntaxTree;

Result<Statements> Statements::find(const SyntaxTree& tree, std::string_view text,
                                    ByteSpan selection,
                                    std::initializer_list<std::string_view> blocks) {
  const auto is_block = [&](std::uint32_t i) {
    return std::find(blocks.begin(), blocks.end(), tree[i].type) != blocks.end();
  };
  Statements out(tree, text, selection);
  auto block = tree.around(selection);
  while (block != kNoNode && !is_block(block)) block = tree[block].parent;
  if (block == kNoNode) return no("select whole statements");
  // A block of Go holds a list: of nodes with one span the outermost was found.
  if (block + 2 < tree[block].after && is_block(block + 2)) block += 2;
  out.block_ = block;
  bool begun = false, ended = false;
  for (const auto c : tree.children(block)) {
    if (!tree[c].named) continue;
    if (ended && tree[c].type.find("comment") == std::string_view::npos) out.is_last_ = false;
    if (tree[c].span.begin == selection.begin) {
      out.first_ = c;
      begun = true;
    }
    if (begun && tree[c].span.end == selection.end) {
      out.last_ = c;
      ended = true;
    }
  }
  if (!begun || !ended) return no("select whole statements");
  return out;
}

bool Statements::within(std::uint32_t i, std::initializer_list<std::string_view> types) const {
  for (auto at = tree_[i].parent; at != kNoNode && at >= first_; at = tree_[at].parent) {
    if (std::find(types.begin(), types.end(), tree_[at].type) != types.end()) return true;
  }
  return false;
}

Result<void> Statements::check_nodes(const std::set<std::string_view>& never,
                                     const std::set<std::string_view>& texts) const {
  for (auto i = first_; i < tree_[last_].after; ++i) {
    const auto& n = tree_[i];
    if (n.broken) return no("the selection does not parse");
    // "return" and "yield" are keywords too: of those the node counts.
    if (never.contains(n.type) && (n.named || n.type == "this" || n.type == "super")) {
      return no("the selection holds " + with_article(n.type));
    }
    if (texts.contains(n.type) && slice(i).find('\n') != std::string_view::npos) {
      return no("the selection holds text over several lines, which would be indented");
    }
  }
  return {};
}

Result<std::string> Statements::indent() const {
  const auto before = indent_before(text_, span_.begin);
  const auto line_end = std::min(text_.find('\n', span_.end), text_.size());
  const auto behind = text_.substr(span_.end, line_end - span_.end);
  if (!before || behind.find_first_not_of(" \t\r") != std::string_view::npos) {
    return no("the selection must begin and end with its lines");
  }
  return *before;
}

std::uint32_t Statements::place_before(std::uint32_t i) const {
  auto place = tree_[i].span.begin;
  const auto siblings = tree_.children(tree_[i].parent);
  auto at = std::find(siblings.begin(), siblings.end(), i);
  while (at != siblings.begin()) {
    const auto& n = tree_[*--at];
    const bool belongs =
        n.type.find("comment") != std::string_view::npos || n.type == "attribute_item";
    if (!belongs || !indent_before(text_, n.span.begin)) break;
    // A comment of Rust ends behind its line.
    auto between = text_.substr(n.span.end, place - n.span.end);
    const auto lines = std::count(between.begin(), between.end(), '\n') +
                       (n.span.end > 0 && text_[n.span.end - 1] == '\n' ? 1 : 0);
    if (lines != 1) break;
    place = n.span.begin;
  }
  return place;
}

}  // namespace ambit::daemon
