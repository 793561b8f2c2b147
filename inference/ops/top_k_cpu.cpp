#include "inference/ops/top_k.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace ambit::inference::ops {
namespace {

float score_of(std::int32_t value) {
  return std::bit_cast<float>(value < 0 ? value ^ 0x7FFFFFFF : value);
}

}  // namespace

void TopK::add_value(std::int32_t value, std::int32_t index) {
  values_[n_] = value;
  indices_[n_++] = index;
  if (n_ == capacity(k_)) settle();
}

void TopK::add(float score, std::size_t index) {
  // An equal score of a later index loses.
  if (full_ && !(score > threshold_)) return;
  std::int32_t value = 0;
  score_values(&score, 1, &value);
  add_value(value, static_cast<std::int32_t>(index));
}

void TopK::add_some(const float* scores, std::uint32_t which, std::int32_t first) {
  if (n_ + 32 > capacity(k_)) settle();
  n_ += add_scores(scores, which, first, values_ + n_, indices_ + n_);
}

void TopK::add(const float* scores, std::size_t n, std::size_t first) {
  for (std::size_t done = 0; done < n;) {
    if (full_) {
      add(scores[done], first + done);
      ++done;
      continue;
    }
    const std::size_t some = std::min(n - done, capacity(k_) - n_);
    score_values(scores + done, some, values_ + n_);
    std::iota(indices_ + n_, indices_ + n_ + some, static_cast<std::int32_t>(first + done));
    n_ += some;
    done += some;
    if (n_ == capacity(k_)) settle();
  }
}

void TopK::add(TopK& other) {
  settle();  // now both have room for the other's
  other.settle();
  // From the back, so that indices stay ascending and nothing is written over before it is read.
  std::size_t mine = n_;
  std::size_t theirs = other.n_;
  n_ = mine + theirs;
  for (std::size_t to = n_; theirs != 0;) {
    const bool take = mine == 0 || indices_[mine - 1] < other.indices_[theirs - 1];
    const TopK& from = take ? other : *this;
    const std::size_t at = take ? --theirs : --mine;
    values_[--to] = from.values_[at];
    indices_[to] = from.indices_[at];
  }
  settle();
}

void TopK::settle() {
  if (n_ <= k_ || k_ == 0) {
    n_ = std::min(n_, k_);
    return;
  }
  const std::int32_t least = kth_largest(values_, n_, k_);
  n_ = keep_at_least(values_, indices_, n_, least);
  if (n_ > k_) {  // of equals the first stay
    const auto equal = static_cast<std::size_t>(std::count(values_, values_ + n_, least));
    std::size_t may_stay = equal - (n_ - k_);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n_; ++i) {
      if (values_[i] == least && may_stay-- == 0) {
        may_stay = 0;
        continue;
      }
      values_[kept] = values_[i];
      indices_[kept++] = indices_[i];
    }
  }
  n_ = k_;
  full_ = true;
  threshold_ = score_of(least);
}

std::size_t TopK::finish(std::int32_t* out) {
  settle();
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
