// From logits to a token. Deterministic: the random number of the n-th generated token is a
// function of (seed, n) alone, so a step that verifies several drafted tokens chooses exactly what
// one-by-one decoding would have chosen.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/request.h"

namespace ambit::inference {

// A number in [0, 1) from a counter-based generator.
[[nodiscard]] double uniform_at(std::uint64_t seed, std::uint64_t index);

// Keeps its scratch between calls; one per model thread.
class Sampler {
 public:
  // The token that `options` choose for the index-th generated token. Greedy ties go to the lower
  // id. Order of the filters: top-k, then top-p, then min-p, on the tempered distribution. allowed:
  // empty, or one byte per id, 0 where the id must not be chosen.
  [[nodiscard]] TokenId sample(std::span<const float> logits, const Sampling& options,
                               std::uint64_t index, std::span<const std::uint8_t> allowed = {});

  // The token's log-probability and the `top` most likely ids (ties: lower id first), both under
  // the untempered distribution.
  [[nodiscard]] GeneratedToken describe(std::span<const float> logits, TokenId id,
                                        std::int32_t top);

 private:
  std::vector<TokenLogprob> order_;
};

}  // namespace ambit::inference
