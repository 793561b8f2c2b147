#include "inference/engine/sampler.h"

#include <algorithm>
#include <cmath>

namespace ambit::inference {
namespace {

// SplitMix64's finaliser: a good mix of a counter.
std::uint64_t mix(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

bool better(const TokenLogprob& a, const TokenLogprob& b) {
  return a.logprob > b.logprob || (a.logprob == b.logprob && a.id < b.id);
}

}  // namespace

double uniform_at(std::uint64_t seed, std::uint64_t index) {
  return static_cast<double>(mix(mix(seed) ^ (index * 0xD1342543DE82EF95U)) >> 11U) * 0x1p-53;
}

TokenId Sampler::sample(std::span<const float> logits, const Sampling& o, std::uint64_t index,
                        std::span<const std::uint8_t> allowed) {
  const auto may = [&](std::size_t i) { return allowed.empty() || allowed[i] != 0; };
  if (o.temperature <= 0) {
    std::size_t best = logits.size();
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (may(i) && (best == logits.size() || logits[i] > logits[best])) best = i;
    }
    return best == logits.size() ? 0 : static_cast<TokenId>(best);
  }
  order_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (may(i)) order_.push_back({static_cast<TokenId>(i), logits[i] / o.temperature});
  }
  if (order_.empty()) return 0;
  // Likeliest first, but no further than the filters can reach: sorted in growing pieces.
  const std::size_t most =
      o.top_k > 0 ? std::min(order_.size(), static_cast<std::size_t>(o.top_k)) : order_.size();
  std::size_t sorted = 0;
  const auto sort_to = [&](std::size_t n) {
    n = std::min(n, order_.size());
    if (n <= sorted) return;
    const auto from = order_.begin() + static_cast<std::ptrdiff_t>(sorted);
    const auto to = order_.begin() + static_cast<std::ptrdiff_t>(n);
    std::partial_sort(from, to, order_.end(), better);
    sorted = n;
  };
  sort_to(o.top_k > 0 ? most : 64);
  const double largest = order_[0].logprob;
  const auto weight = [&](std::size_t i) { return std::exp(order_[i].logprob - largest); };
  double total = 0;
  if (o.top_k > 0) {
    for (std::size_t i = 0; i < most; ++i) total += weight(i);
  } else {
    for (std::size_t i = 0; i < order_.size(); ++i) total += weight(i);
  }
  // Keep the shortest head with probability top_p, and of it what is at least min_p of the best.
  double kept = 0;
  std::size_t n = 0;
  while (n < most) {
    if (n == sorted) sort_to(sorted * 4);
    const double w = weight(n);
    if (n > 0 && (kept >= static_cast<double>(o.top_p) * total || w < o.min_p)) break;
    kept += w;
    ++n;
  }
  double u = uniform_at(o.seed, index) * kept;
  for (std::size_t i = 0; i < n; ++i) {
    u -= weight(i);
    if (u < 0) return order_[i].id;
  }
  return order_[n - 1].id;
}

GeneratedToken Sampler::describe(std::span<const float> logits, TokenId id, std::int32_t top) {
  GeneratedToken out;
  out.id = id;
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - largest);
  const double log_sum = largest + std::log(sum);
  out.logprob = static_cast<float>(logits[static_cast<std::size_t>(id)] - log_sum);
  if (top <= 0) return out;
  order_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    order_.push_back({static_cast<TokenId>(i), logits[i]});
  }
  const std::size_t n = std::min(order_.size(), static_cast<std::size_t>(top));
  std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n), order_.end(),
                    better);
  out.top.assign(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n));
  for (TokenLogprob& t : out.top) t.logprob = static_cast<float>(t.logprob - log_sum);
  return out;
}

}  // namespace ambit::inference
