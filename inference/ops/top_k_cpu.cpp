#include "inference/ops/top_k.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace ambit::inference::ops {
namespace {

// Larger key: better score, then lower index.
std::uint64_t key_of(float score, std::size_t index) {
  std::uint32_t bits = score != score ? 0xFF800000U : std::bit_cast<std::uint32_t>(score + 0.0F);
  bits = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<std::uint64_t>(bits) << 32 | (0xFFFFFFFFU - static_cast<std::uint32_t>(index));
}

}  // namespace

std::size_t top_k(const float* scores, std::size_t n, std::size_t k, std::int32_t* out,
                  std::uint64_t* scratch) {
  if (k >= n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::int32_t>(i);
    return n;
  }
  if (k == 0) return 0;
  for (std::size_t i = 0; i < n; ++i) scratch[i] = key_of(scores[i], i);
  std::nth_element(scratch, scratch + (k - 1), scratch + n, std::greater<>());
  for (std::size_t i = 0; i < k; ++i) {
    out[i] = static_cast<std::int32_t>(0xFFFFFFFFU - static_cast<std::uint32_t>(scratch[i]));
  }
  std::sort(out, out + k);
  return k;
}

}  // namespace ambit::inference::ops
