// From logits to a token. Deterministic: the random number of the n-th generated token is a
// function of (seed, n) alone, so a step that verifies several drafted tokens chooses exactly what
// one-by-one decoding would have chosen. A device that chooses by itself (StepModel::chooses) gives
// the same tokens and log-probabilities for the same logits (ops/sample.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/ops/sample.h"
#include "inference/request.h"

namespace ambit::inference {

// How the index-th generated token is chosen.
[[nodiscard]] ops::SampleRow sample_row(const Sampling& options, std::uint64_t index);

// The chosen token with its log-probability.
[[nodiscard]] GeneratedToken generated(const ops::Sampled& sampled);

// Keeps its scratch between calls; one per model thread.
class Sampler {
 public:
  // The token that `options` choose for the index-th generated token; -1 when the mask (empty, or
  // ops::mask_words() words) lets none come.
  [[nodiscard]] TokenId sample(std::span<const float> logits, const Sampling& options,
                               std::uint64_t index, std::span<const std::uint32_t> mask = {});

  // The token's log-probability and the `top` most likely ids (ties: lower id first), both under
  // the untempered distribution.
  [[nodiscard]] GeneratedToken describe(std::span<const float> logits, TokenId id,
                                        std::int32_t top);

 private:
  ops::RowSampler rows_;
  std::vector<TokenLogprob> order_;
};

}  // namespace ambit::inference
