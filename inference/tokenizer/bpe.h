// Byte pair merging inside one piece: the pair of lowest rank first, the leftmost of equals, until
// no pair has a rank. Short pieces scan, long ones keep a heap, so that a piece of n bytes costs
// O(n log n) at most.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "inference/tokenizer/vocabulary.h"

namespace ambit::inference {

class Bpe {
 public:
  // bytes: the token of each byte. merges: by rank; a pair that comes twice keeps its last rank.
  Bpe(const std::array<TokenId, 256>& bytes, const std::vector<Merge>& merges);

  // Appends the tokens of the piece.
  void encode(std::string_view piece, std::vector<TokenId>& out) const;

 private:
  struct Slot {
    std::uint64_t pair = kEmpty;
    std::uint32_t rank = 0;
    TokenId result = 0;
  };
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  [[nodiscard]] const Slot* find(TokenId left, TokenId right) const;
  [[nodiscard]] std::size_t bucket(std::uint64_t pair) const;
  void encode_short(std::string_view piece, std::vector<TokenId>& out) const;
  void encode_long(std::string_view piece, std::vector<TokenId>& out) const;

  std::array<TokenId, 256> bytes_;
  std::vector<Slot> slots_;  // open addressing, at most half full
  unsigned shift_ = 0;
};

}  // namespace ambit::inference
