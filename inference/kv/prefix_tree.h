// Every warm prefix in memory, as a tree of pages: a node is one page of tokens, its children are
// the pages that follow it in one sequence or another. A request finds the longest warm prefix of
// its tokens here, to the token: inside a page the shared part is used by copying it.
//
// Memory is bounded: beyond the budget the longest unused pages are first cooled (after which one
// can go on only from their end), then stripped to their rows (after which one cannot go on from
// there at all, only pass through), and last the leaves go. Threads: the model thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "inference/kv/cache.h"

namespace ambit::inference {

class PrefixTree {
 public:
  // budget_bytes: of all pages that the tree holds, those shared with live sequences included.
  PrefixTree(const PageMaker& maker, std::uint64_t budget_bytes);
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  // A sequence that holds the longest warm prefix of ids, at most `limit` tokens of it.
  [[nodiscard]] KvCache find(std::span<const TokenId> ids, std::int64_t limit);
  // Remembers a sequence. A partly filled last page replaces one that it extends.
  void insert(const KvCache& cache);
  // Drops what the budget does not allow. Pages in use by a live sequence lose nothing.
  void trim();

  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::size_t page_count() const;

 private:
  struct Node;
  const PageMaker* maker_;
  std::uint64_t budget_;
  std::uint64_t clock_ = 0;
  std::unique_ptr<Node> root_;
};

}  // namespace ambit::inference
