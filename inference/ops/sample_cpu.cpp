#include <algorithm>
#include <cmath>
#include <limits>

#include "inference/ops/sample.h"

namespace ambit::inference::ops {
namespace {

std::uint64_t mix(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

// NaN stands with the lowest.
float ordered(float x) {
  return std::isnan(x) ? -std::numeric_limits<float>::infinity() : x;
}

float largest_of(std::span<const float> x) {
  float most = -std::numeric_limits<float>::infinity();
  for (const float v : x) most = v > most ? v : most;
  return most;
}

std::uint64_t high_half(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64U);
}

}  // namespace

std::uint64_t random_at(std::uint64_t seed, std::uint64_t index) {
  return mix(mix(seed) ^ (index * 0xD1342543DE82EF95U));
}

std::int32_t RowSampler::choose(std::span<const float> logits, const SampleRow& row,
                                std::span<const std::uint32_t> mask) {
  const auto may = [&](std::size_t i) {
    return mask.empty() || (mask[i / 32] >> (i % 32) & 1U) != 0;
  };
  const bool greedy = !(row.temperature > 0);
  if (greedy) {
    std::size_t best = logits.size();
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (!may(i)) continue;
      if (best == logits.size() || ordered(logits[i]) > ordered(logits[best])) best = i;
    }
    return best == logits.size() ? -1 : static_cast<std::int32_t>(best);
  }
  order_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (may(i)) {
      order_.push_back({ordered(logits[i] / row.temperature), static_cast<std::int32_t>(i)});
    }
  }
  if (order_.empty()) return -1;
  // Likeliest first, but no further than the filters can reach: sorted in growing pieces.
  const std::size_t most =
      row.top_k > 0 ? std::min(order_.size(), static_cast<std::size_t>(row.top_k)) : order_.size();
  std::size_t sorted = 0;
  const auto sort_to = [&](std::size_t n) {
    n = std::min(n, order_.size());
    if (n <= sorted) return;
    const auto from = order_.begin() + static_cast<std::ptrdiff_t>(sorted);
    const auto to = order_.begin() + static_cast<std::ptrdiff_t>(n);
    std::partial_sort(from, to, order_.end(), [](const Entry& a, const Entry& b) {
      return a.x > b.x || (a.x == b.x && a.id < b.id);
    });
    sorted = n;
  };
  sort_to(row.top_k > 0 ? most : 64);
  const float largest = order_[0].x;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < most; ++i) total += weight_of(order_[i].x, largest);
  const std::uint64_t enough =
      row.top_p < 1 ? weight_share(row.top_p, total) : std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t least = row.min_p > 0 ? weight_share(row.min_p, kWeightOne) : 0;
  std::uint64_t kept = 0;
  std::size_t n = 0;
  while (n < most) {
    if (n == sorted) {
      // Where only the sum of what is left matters, its order does not.
      if (row.top_p >= 1 && least == 0) {
        kept = total;
        n = most;
        break;
      }
      sort_to(sorted * 4);
    }
    const std::uint64_t w = weight_of(order_[n].x, largest);
    if (n > 0 && (kept >= enough || w < least)) break;
    kept += w;
    ++n;
  }
  const std::uint64_t place = high_half(row.random, kept);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (i == sorted) sort_to(sorted * 4);
    sum += weight_of(order_[i].x, largest);
    if (sum > place) return order_[i].id;
  }
  return order_[0].id;  // nothing weighs anything: not reached, the first weighs kWeightOne
}

Sampled RowSampler::sample(std::span<const float> logits, const SampleRow& row,
                           std::span<const std::uint32_t> mask) {
  Sampled out;
  out.id = row.given >= 0 ? row.given : choose(logits, row, mask);
  out.largest = largest_of(logits);
  for (const float x : logits) out.sum += weight_of(x, out.largest);
  if (out.id >= 0) out.logit = logits[static_cast<std::size_t>(out.id)];
  return out;
}

}  // namespace ambit::inference::ops
