// Choice of the k largest scores. Ties go to the lower index, so that the choice is a function of
// the scores alone; NaN counts as the lowest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace ambit::inference::ops {

// Scores come in pieces, indices ascending. Most are compared with the k-th best so far and
// dropped, so a long scan costs little more than its scores.
class TopK {
 public:
  // room: capacity(k) entries, the caller's. guess: what the k-th best should be above; finish()
  // gives fewer than k if it was not.
  TopK(std::size_t k, std::uint64_t* room, float guess = kLowest)
      : k_(k),
        values_(reinterpret_cast<std::int32_t*>(room)),
        indices_(values_ + capacity(k)),
        full_(guess > kLowest),
        threshold_(guess) {}
  [[nodiscard]] static constexpr std::size_t capacity(std::size_t k) {
    return k + std::max(k, kSlack);
  }

  // Scores that are not above this need not be added.
  [[nodiscard]] float threshold() const { return threshold_; }
  [[nodiscard]] bool is_full() const { return full_; }
  void add(float score, std::size_t index);
  // Of 32 scores, of index `first` on, those whose bit is set in `which`.
  void add_some(const float* scores, std::uint32_t which, std::int32_t first);
  // n scores, of index `first` on.
  void add(const float* scores, std::size_t n, std::size_t first);
  // Drops what is not among the best.
  void settle();
  // What another scan with the same k found, of other indices in whatever order to these.
  void add(TopK& other);
  // The indices of the best, ascending; returns how many: k, or all that were added.
  std::size_t finish(std::int32_t* out);

 private:
  static constexpr std::size_t kSlack = 4096;
  static constexpr float kLowest = -std::numeric_limits<float>::infinity();
  void add_value(std::int32_t value, std::int32_t index);
  std::size_t k_;
  std::int32_t* values_;  // in the order of the scores
  std::int32_t* indices_;
  std::size_t n_ = 0;
  bool full_;  // k scores were seen, and threshold_ is the least of the best k; or a guess
  float threshold_;
};

// The parts that are vectors. Scores as integers in the order of the scores; NaN counts as the
// lowest score.
void score_values(const float* scores, std::size_t n, std::int32_t* values);
// Of 32 scores, of index `first` on, those whose bit is set in `which`: values and indices have
// room for 32 more; returns how many were added.
std::size_t add_scores(const float* scores, std::uint32_t which, std::int32_t first,
                       std::int32_t* values, std::int32_t* indices);
// The k-th largest of n values, 1 ≤ k ≤ n.
[[nodiscard]] std::int32_t kth_largest(const std::int32_t* values, std::size_t n, std::size_t k);
// Keeps the pairs whose value is at least `least`, in order; returns how many.
std::size_t keep_at_least(std::int32_t* values, std::int32_t* indices, std::size_t n,
                          std::int32_t least);

// All scores at once. scratch: TopK::capacity(k) entries.
std::size_t top_k(const float* scores, std::size_t n, std::size_t k, std::int32_t* out,
                  std::uint64_t* scratch);

}  // namespace ambit::inference::ops
