#include "inference/kv/prefix_tree.h"

#include <algorithm>

namespace ambit::inference {

struct PrefixTree::Node {
  PagePtr page;  // null in the root
  Node* parent = nullptr;
  std::uint64_t used = 0;
  std::size_t to_end = 0;  // pages to the nearest leaf below; of trim()
  std::vector<std::unique_ptr<Node>> children;
};

namespace {

std::int64_t common_prefix(const Page& page, std::span<const TokenId> ids) {
  const auto n = std::min(static_cast<std::size_t>(page.filled), ids.size());
  const auto at =
      std::mismatch(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n), page.ids.begin());
  return at.first - ids.begin();
}

template <class Node, class F>
void visit(Node& node, F&& f) {
  for (auto& child : node.children) {
    f(*child);
    visit(*child, f);
  }
}

}  // namespace

PrefixTree::PrefixTree(const PageMaker& maker, std::uint64_t budget_bytes)
    : maker_(&maker), budget_(budget_bytes), root_(std::make_unique<Node>()) {}

PrefixTree::~PrefixTree() {
  // Children one by one: the destructor of a long chain must not recurse to its depth.
  std::vector<std::unique_ptr<Node>> open;
  open.push_back(std::move(root_));
  while (!open.empty()) {
    auto node = std::move(open.back());
    open.pop_back();
    for (auto& child : node->children) open.push_back(std::move(child));
  }
}

KvCache PrefixTree::find(std::span<const TokenId> ids, std::int64_t limit) {
  ids = ids.first(std::min(ids.size(), static_cast<std::size_t>(std::max<std::int64_t>(limit, 0))));
  ++clock_;
  // The chain of pages, each but the last wholly shared.
  std::vector<Node*> chain;
  std::int64_t last = 0;  // tokens shared of the chain's last page
  for (Node* node = root_.get();;) {
    Node* best = nullptr;
    std::int64_t longest = 0;
    for (auto& child : node->children) {
      const std::int64_t n = common_prefix(*child->page, ids);
      // Of equals take the one from which more can be resumed.
      if (n > longest || (n == longest && n > 0 && !best->page->raw && child->page->raw)) {
        best = child.get();
        longest = n;
      }
    }
    if (best == nullptr) break;
    chain.push_back(best);
    last = longest;
    best->used = clock_;
    if (longest < kPageTokens) break;
    ids = ids.subspan(static_cast<std::size_t>(kPageTokens));
    node = best;
  }
  // Step back to a point from which one can go on.
  const auto windows = maker_->shape().window_pages();
  const auto has_windows = [&](std::size_t end) {  // of the pages before chain[end]
    for (std::size_t i = end - std::min(end, windows); i < end; ++i) {
      if (!chain[i]->page->has_window()) return false;
    }
    return true;
  };
  while (!chain.empty()) {
    const Page& page = *chain.back()->page;
    const bool whole = last == kPageTokens;
    const bool window_ok = page.has_window() && has_windows(chain.size() - 1);
    const bool previous_ok = chain.size() == 1 || chain[chain.size() - 2]->page->raw ||
                             chain[chain.size() - 2]->page->has_edge();
    if (window_ok && ((page.raw && previous_ok) || (whole && page.has_edge()))) break;
    chain.pop_back();
    last = kPageTokens;
  }
  KvCache cache(*maker_);
  for (std::size_t i = 0; i < chain.size(); ++i) {
    cache.adopt(chain[i]->page,
                static_cast<std::int32_t>(i + 1 == chain.size() ? last : kPageTokens));
  }
  cache.thaw();
  return cache;
}

void PrefixTree::insert(const KvCache& cache) {
  ++clock_;
  Node* node = root_.get();
  std::int64_t left = cache.length();
  for (const PagePtr& page : cache.pages()) {
    const auto filled = static_cast<std::int32_t>(std::min<std::int64_t>(left, kPageTokens));
    left -= filled;
    const std::span<const TokenId> ids(page->ids.data(), static_cast<std::size_t>(filled));
    Node* next = nullptr;
    bool covered = false;
    for (auto& child : node->children) {
      const std::int64_t n = common_prefix(*child->page, ids);
      const bool as_warm =
          (child->page->raw || !page->raw) && (child->page->has_window() || !page->has_window());
      if (n == filled && child->page->filled >= filled && (filled < kPageTokens || as_warm)) {
        next = child.get();  // known, or the beginning of something known
        covered = true;
        break;
      }
      if (n == child->page->filled && child->children.empty()) {
        next = child.get();  // it grew (or was thinned out): take the new one
        break;
      }
      if (n == kPageTokens && filled == kPageTokens) {
        next = child.get();  // thinned out, with descendants
        break;
      }
    }
    if (next == nullptr) {
      node->children.push_back(std::make_unique<Node>());
      next = node->children.back().get();
      next->parent = node;
    }
    if (!covered && next->page != page) {
      // A page of which only a part belongs to this sequence is shared as it is: `filled` of the
      // page says what is there, and all of it follows from its own ids.
      next->page = page;
    }
    if (next->page->filled == kPageTokens) maker_->save_edge(*next->page);
    next->used = clock_;
    node = next;
  }
}

std::uint64_t PrefixTree::bytes() const {
  std::uint64_t sum = 0;
  visit(*root_, [&](const Node& n) { sum += n.page->bytes(); });
  return sum;
}

std::size_t PrefixTree::page_count() const {
  std::size_t n = 0;
  visit(*root_, [&](const Node&) { ++n; });
  return n;
}

void PrefixTree::trim(const std::unordered_set<const Page*>& needed) {
  std::uint64_t total = bytes();
  if (total <= budget_) return;
  std::vector<Node*> nodes;  // parents before children
  visit(*root_, [&](Node& n) {
    n.to_end = n.children.empty() ? 0 : ~std::size_t{0};
    nodes.push_back(&n);
  });
  for (auto n = nodes.rbegin(); n != nodes.rend(); ++n) {
    (*n)->parent->to_end = std::min((*n)->parent->to_end, (*n)->to_end + 1);
  }
  // Longest unused first; of one use the deepest last, since a continuation starts at the end.
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const Node* a, const Node* b) { return a->used < b->used; });
  const auto idle = [](const Node& n) { return n.page.use_count() == 1; };
  const auto far = [&](const Node& n) {
    return n.to_end > kFarPages && !needed.contains(n.page.get());
  };
  const auto cool = [&](Page& page) { maker_->cool(page); };
  const auto strip = [](Page& page) { page.strip(); };
  const auto each = [&](const auto& which, const auto& thin) {
    for (Node* n : nodes) {
      if (total <= budget_) return;
      if (!which(*n)) continue;
      total -= n->page->bytes();
      thin(*n->page);
      total += n->page->bytes();
    }
  };
  each(far, cool);
  each(far, strip);
  each(idle, cool);
  each([&](const Node& n) { return idle(n) && !n.children.empty(); }, strip);
  // Leaves, until enough has gone or nothing more can go.
  bool removed = true;
  while (total > budget_ && removed) {
    removed = false;
    for (Node*& n : nodes) {
      if (n == nullptr || total <= budget_ || !n->children.empty() || !idle(*n)) continue;
      total -= n->page->bytes();
      auto& siblings = n->parent->children;
      siblings.erase(std::find_if(siblings.begin(), siblings.end(),
                                  [&](const auto& c) { return c.get() == n; }));
      n = nullptr;
      removed = true;
    }
  }
}

}  // namespace ambit::inference
