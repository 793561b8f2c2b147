// Which experts deserve a place on the card: a running count of what tokens chose, layer by layer.
// Knows nothing of memory. Used from one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ambit::inference {

class HotExperts {
 public:
  // on_card: [layers, experts], which experts lie there at first.
  HotExperts(std::size_t layers, std::size_t experts, std::vector<bool> on_card);

  struct Exchange {
    std::size_t layer = 0, in = 0, out = 0;  // `in` goes to the card, into the place of `out`
  };

  // totals: [layers, experts], how often each was chosen since the start (modulo 2^32); tokens: how
  // many have been computed since the last call.
  void observe(std::span<const std::uint32_t> totals, std::size_t tokens);

  // The exchanges that pay most, `most` of them at the most: those whose expert in host memory was
  // chosen so much more often, in the tokens that still count, that going on like this wins back
  // the two copies. They are taken as done.
  [[nodiscard]] std::vector<Exchange> take(std::size_t most);

  // Of the choices of the tokens that still count, how many were on the card; 0 to 1.
  [[nodiscard]] double share_on_card() const;

 private:
  std::size_t layers_, experts_;
  std::vector<bool> on_card_;
  std::vector<std::uint32_t> before_;  // totals of the last call
  std::vector<float> heat_;            // choices, older ones less
  double hits_ = 0, all_ = 0;          // likewise
};

}  // namespace ambit::inference
