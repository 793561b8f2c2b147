#include "inference/ops/top_k.h"

#include <algorithm>
#include <bit>

namespace ambit::inference::ops {
namespace {

// Integers in the order of the scores; NaN counts as the lowest score.
std::int32_t value_of(float score) {
  const auto bits = std::bit_cast<std::int32_t>(
      score != score ? -std::numeric_limits<float>::infinity() : score + 0.0F);  // no -0
  return bits < 0 ? bits ^ 0x7FFFFFFF : bits;
}

float score_of(std::int32_t value) {
  return std::bit_cast<float>(value < 0 ? value ^ 0x7FFFFFFF : value);
}

}  // namespace

void TopK::add_value(std::int32_t value, std::int32_t index) {
  values_[n_] = value;
  indices_[n_++] = index;
  if (n_ == capacity(k_)) shrink();
}

void TopK::add(float score, std::size_t index) {
  // An equal score of a later index loses.
  if (full_ && !(score > threshold_)) return;
  add_value(value_of(score), static_cast<std::int32_t>(index));
}

void TopK::add(const float* scores, std::size_t n, std::size_t first) {
  for (std::size_t done = 0; done < n;) {
    if (full_) {
      add(scores[done], first + done);
      ++done;
      continue;
    }
    const std::size_t some = std::min(n - done, capacity(k_) - n_);
    for (std::size_t i = 0; i < some; ++i) {
      values_[n_ + i] = value_of(scores[done + i]);
      indices_[n_ + i] = static_cast<std::int32_t>(first + done + i);
    }
    n_ += some;
    done += some;
    if (n_ == capacity(k_)) shrink();
  }
}

void TopK::add(const TopK& other) {
  for (std::size_t i = 0; i < other.n_; ++i) add_value(other.values_[i], other.indices_[i]);
}

void TopK::shrink() {
  if (n_ <= k_ || k_ == 0) {
    n_ = std::min(n_, k_);
    return;
  }
  const std::int32_t least = kth_largest(values_, n_, k_);
  const auto above = static_cast<std::size_t>(
      std::count_if(values_, values_ + n_, [&](std::int32_t v) { return v > least; }));
  std::size_t equal = k_ - above;  // that stay: the first
  std::size_t kept = 0;
  for (std::size_t i = 0; i < n_; ++i) {
    const bool is_equal = values_[i] == least && equal > 0;
    equal -= is_equal ? 1 : 0;
    values_[kept] = values_[i];
    indices_[kept] = indices_[i];
    kept += values_[i] > least || is_equal ? 1 : 0;
  }
  n_ = k_;
  full_ = true;
  threshold_ = score_of(least);
}

std::size_t TopK::finish(std::int32_t* out) {
  shrink();
  std::copy_n(indices_, n_, out);
  return n_;
}

std::size_t top_k(const float* scores, std::size_t n, std::size_t k, std::int32_t* out,
                  std::uint64_t* scratch) {
  TopK best(k, scratch);
  best.add(scores, n, 0);
  return best.finish(out);
}

}  // namespace ambit::inference::ops
