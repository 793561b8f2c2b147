#include <algorithm>
#include <bit>
#include <functional>

#include "inference/ops/top_k.h"

namespace ambit::inference::ops {
namespace {

// Larger key: better score, then lower index.
std::uint64_t key_of(float score, std::size_t index) {
  std::uint32_t bits = score != score ? 0xFF800000U : std::bit_cast<std::uint32_t>(score + 0.0F);
  bits = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<std::uint64_t>(bits) << 32 | (0xFFFFFFFFU - static_cast<std::uint32_t>(index));
}

float score_of(std::uint64_t key) {
  const auto bits = static_cast<std::uint32_t>(key >> 32);
  return std::bit_cast<float>((bits & 0x80000000U) != 0 ? bits & 0x7FFFFFFFU : ~bits);
}

}  // namespace

void TopK::add_key(std::uint64_t key) {
  keys_[n_++] = key;
  if (n_ == capacity(k_)) shrink();
}

void TopK::add(float score, std::size_t index) {
  // An equal score of a later index loses.
  if (full_ && !(score > threshold_)) return;
  add_key(key_of(score, index));
}

void TopK::add(const TopK& other) {
  for (std::size_t i = 0; i < other.n_; ++i) add_key(other.keys_[i]);
}

void TopK::shrink() {
  if (n_ <= k_ || k_ == 0) {
    n_ = std::min(n_, k_);
    return;
  }
  std::nth_element(keys_, keys_ + (k_ - 1), keys_ + n_, std::greater<>());
  n_ = k_;
  full_ = true;
  threshold_ = score_of(keys_[k_ - 1]);
}

std::size_t TopK::finish(std::int32_t* out) {
  shrink();
  for (std::size_t i = 0; i < n_; ++i) {
    out[i] = static_cast<std::int32_t>(0xFFFFFFFFU - static_cast<std::uint32_t>(keys_[i]));
  }
  std::sort(out, out + n_);
  return n_;
}

std::size_t top_k(const float* scores, std::size_t n, std::size_t k, std::int32_t* out,
                  std::uint64_t* scratch) {
  TopK best(k, scratch);
  for (std::size_t i = 0; i < n; ++i) best.add(scores[i], i);
  return best.finish(out);
}

}  // namespace ambit::inference::ops
