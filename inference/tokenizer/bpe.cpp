#include "inference/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <queue>

namespace ambit::inference {
namespace {

constexpr std::size_t kShort = 48;
constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();

std::uint64_t key_of(TokenId left, TokenId right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

}  // namespace

Bpe::Bpe(const std::array<TokenId, 256>& bytes, const std::vector<Merge>& merges) : bytes_(bytes) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(merges.size() * 2, 16));
  shift_ = 64U - static_cast<unsigned>(std::countr_zero(size));
  slots_.resize(size);
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const Merge& m = merges[rank];
    const std::uint64_t pair = key_of(m.left, m.right);
    std::size_t i = bucket(pair);
    while (slots_[i].pair != kEmpty && slots_[i].pair != pair) i = (i + 1) & (size - 1);
    slots_[i] = {pair, static_cast<std::uint32_t>(rank), m.result};
  }
}

std::size_t Bpe::bucket(std::uint64_t pair) const {
  pair ^= pair >> 29;
  return static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15ULL) >> shift_);
}

const Bpe::Slot* Bpe::find(TokenId left, TokenId right) const {
  const std::uint64_t pair = key_of(left, right);
  for (std::size_t i = bucket(pair);; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].pair == pair) return &slots_[i];
    if (slots_[i].pair == kEmpty) return nullptr;
  }
}

void Bpe::encode(std::string_view piece, std::vector<TokenId>& out) const {
  if (piece.size() == 1) {
    out.push_back(bytes_[static_cast<std::uint8_t>(piece[0])]);
  } else if (piece.size() <= kShort) {
    encode_short(piece, out);
  } else {
    encode_long(piece, out);
  }
}

void Bpe::encode_short(std::string_view piece, std::vector<TokenId>& out) const {
  struct Symbol {
    TokenId id;
    std::uint32_t rank;  // of the pair with the next symbol
    TokenId merged;
  };
  Symbol symbols[kShort];
  std::size_t n = piece.size();
  for (std::size_t i = 0; i < n; ++i) symbols[i].id = bytes_[static_cast<std::uint8_t>(piece[i])];
  const auto look = [&](std::size_t i) {
    symbols[i].rank = kNoRank;
    if (i + 1 == n) return;
    if (const Slot* s = find(symbols[i].id, symbols[i + 1].id)) {
      symbols[i].rank = s->rank;
      symbols[i].merged = s->result;
    }
  };
  for (std::size_t i = 0; i < n; ++i) look(i);
  for (;;) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      if (symbols[i].rank < symbols[best].rank) best = i;
    }
    if (n < 2 || symbols[best].rank == kNoRank) break;
    symbols[best].id = symbols[best].merged;
    std::copy(symbols + best + 2, symbols + n, symbols + best + 1);
    --n;
    look(best);
    if (best > 0) look(best - 1);
  }
  for (std::size_t i = 0; i < n; ++i) out.push_back(symbols[i].id);
}

void Bpe::encode_long(std::string_view piece, std::vector<TokenId>& out) const {
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  struct Symbol {
    TokenId id;
    std::uint32_t previous;
    std::uint32_t next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::uint32_t left;
    TokenId left_id;
    TokenId right_id;
    TokenId result;
    bool operator>(const Candidate& o) const {
      return rank != o.rank ? rank > o.rank : left > o.left;
    }
  };
  // Positions are 32 bit: what is longer is merged in parts, which no real text reaches.
  constexpr std::size_t kPart = std::size_t{1} << 31;
  if (piece.size() > kPart) {
    encode_long(piece.substr(0, kPart), out);
    encode_long(piece.substr(kPart), out);
    return;
  }
  const auto n = static_cast<std::uint32_t>(piece.size());
  std::vector<Symbol> symbols(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    symbols[i] = {bytes_[static_cast<std::uint8_t>(piece[i])], i == 0 ? kNone : i - 1,
                  i + 1 == n ? kNone : i + 1};
  }
  std::vector<Candidate> heap;
  heap.reserve(n);
  const auto candidate = [&](std::uint32_t left, std::uint32_t right) -> bool {
    const Slot* s = find(symbols[left].id, symbols[right].id);
    if (s == nullptr) return false;
    heap.push_back({s->rank, left, symbols[left].id, symbols[right].id, s->result});
    return true;
  };
  const auto offer = [&](std::uint32_t left, std::uint32_t right) {
    if (candidate(left, right)) std::push_heap(heap.begin(), heap.end(), std::greater<>{});
  };
  for (std::uint32_t i = 0; i + 1 < n; ++i) candidate(i, i + 1);
  std::make_heap(heap.begin(), heap.end(), std::greater<>{});
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>{});
    const Candidate c = heap.back();
    heap.pop_back();
    // Stale when either side has been merged since: a symbol that was swallowed has id -1.
    Symbol& left = symbols[c.left];
    if (left.id != c.left_id || left.next == kNone || symbols[left.next].id != c.right_id) continue;
    Symbol& right = symbols[left.next];
    left.id = c.result;
    right.id = -1;
    left.next = right.next;
    if (left.next != kNone) {
      symbols[left.next].previous = c.left;
      offer(c.left, left.next);
    }
    if (left.previous != kNone) offer(left.previous, c.left);
  }
  for (std::uint32_t i = 0; i != kNone; i = symbols[i].next) out.push_back(symbols[i].id);
}

}  // namespace ambit::inference
