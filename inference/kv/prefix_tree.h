// Every warm prefix in memory, as a tree of pages: a node is one page of tokens, its children are
// the pages that follow it in one sequence or another. A request finds the longest warm prefix of
// its tokens here, to the token: inside a page the shared part is used by copying it.
//
// Memory is bounded. Beyond the budget the pages far behind every end go first, whoever used them
// last: a repository of a million tokens must not push out the short sequences of the keystrokes
// that came in between. They are cooled (after which one can go on only from their end), then
// stripped to their rows (after which one cannot go on from there at all, only pass through). After
// them, by when they were last used, the others likewise, and last the leaves go. Threads: the
// model thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_set>
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
  // A page from which no sequence ends within so many pages is far behind.
  static constexpr std::size_t kFarPages = 16;

  // Drops what the budget does not allow. Pages in use outside of the tree lose nothing; of those
  // far behind, which live sequences pass through, the ones that are named.
  void trim(const std::unordered_set<const Page*>& needed = {});

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
