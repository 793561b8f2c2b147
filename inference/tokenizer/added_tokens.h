// Finds added tokens in text: at each place the longest, from left to right, as the reference does.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/request.h"

namespace ambit::inference {

class TokenTrie {
 public:
  TokenTrie() { nodes_.emplace_back(); }
  void add(std::string_view content, TokenId id);
  [[nodiscard]] bool empty() const { return nodes_.size() == 1; }

  struct Found {
    std::size_t position;
    std::size_t length;
    TokenId id;
  };
  // The first match at or after `from`.
  [[nodiscard]] std::optional<Found> search(std::string_view text, std::size_t from) const;

 private:
  struct Node {
    TokenId id = -1;
    std::vector<std::pair<std::uint8_t, std::uint32_t>> children;
  };
  [[nodiscard]] std::uint32_t child(std::uint32_t node, std::uint8_t byte) const;  // 0: none
  std::vector<Node> nodes_;
  std::array<bool, 256> starts_{};
};

}  // namespace ambit::inference
