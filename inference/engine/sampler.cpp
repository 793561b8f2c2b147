#include "inference/engine/sampler.h"

#include <algorithm>
#include <cmath>

namespace ambit::inference {

ops::SampleRow sample_row(const Sampling& o, std::uint64_t index) {
  ops::SampleRow row;
  row.temperature = o.temperature;
  row.top_p = o.top_p;
  row.min_p = o.min_p;
  row.top_k = o.top_k;
  row.random = ops::random_at(o.seed, index);
  return row;
}

namespace {

double log_sum(const ops::Sampled& s) {
  return s.largest + std::log(static_cast<double>(s.sum) / static_cast<double>(ops::kWeightOne));
}

}  // namespace

GeneratedToken generated(const ops::Sampled& s) {
  GeneratedToken out;
  out.id = s.id;
  out.logprob = static_cast<float>(s.logit - log_sum(s));
  return out;
}

TokenId Sampler::sample(std::span<const float> logits, const Sampling& o, std::uint64_t index,
                        std::span<const std::uint32_t> mask) {
  return rows_.choose(logits, sample_row(o, index), mask);
}

GeneratedToken Sampler::describe(std::span<const float> logits, TokenId id, std::int32_t top) {
  const ops::Sampled given = rows_.sample(logits, {.given = id});
  GeneratedToken out = generated(given);
  if (top <= 0) return out;
  order_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    order_.push_back({static_cast<TokenId>(i), logits[i]});
  }
  const std::size_t n = std::min(order_.size(), static_cast<std::size_t>(top));
  std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n), order_.end(),
                    [](const TokenLogprob& a, const TokenLogprob& b) {
                      return a.logprob > b.logprob || (a.logprob == b.logprob && a.id < b.id);
                    });
  out.top.assign(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n));
  for (TokenLogprob& t : out.top) t.logprob = static_cast<float>(t.logprob - log_sum(given));
  return out;
}

}  // namespace ambit::inference
