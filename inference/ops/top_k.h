// Choice of the k largest scores. Ties go to the lower index, so that the choice is a function of
// the scores alone; NaN counts as the lowest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace ambit::inference::ops {

// Scores come in pieces, indices ascending. Most are compared with the k-th best so far and
// dropped, so a long scan costs little more than its scores.
class TopK {
 public:
  // room: capacity(k) entries, the caller's.
  TopK(std::size_t k, std::uint64_t* room)
      : k_(k), values_(reinterpret_cast<std::int32_t*>(room)), indices_(values_ + capacity(k)) {}
  [[nodiscard]] static constexpr std::size_t capacity(std::size_t k) { return k + kSlack; }

  // Scores that are not above this need not be added.
  [[nodiscard]] float threshold() const { return threshold_; }
  [[nodiscard]] bool is_full() const { return full_; }
  void add(float score, std::size_t index);
  // n scores, of index `first` on.
  void add(const float* scores, std::size_t n, std::size_t first);
  // Drops what is not among the best.
  void settle();
  // What another scan found, of later indices.
  void add(const TopK& other);
  // The indices of the best, ascending; returns how many: k, or all that were added.
  std::size_t finish(std::int32_t* out);

 private:
  static constexpr std::size_t kSlack = 4096;
  void add_value(std::int32_t value, std::int32_t index);
  std::size_t k_;
  std::int32_t* values_;  // in the order of the scores
  std::int32_t* indices_;
  std::size_t n_ = 0;
  bool full_ = false;  // k scores were seen, and threshold_ is the least of the best k
  float threshold_ = -std::numeric_limits<float>::infinity();
};

// The parts that are vectors. Scores as integers in the order of the scores; NaN counts as the
// lowest score.
void score_values(const float* scores, std::size_t n, std::int32_t* values);
// The k-th largest of n values, 1 ≤ k ≤ n.
[[nodiscard]] std::int32_t kth_largest(const std::int32_t* values, std::size_t n, std::size_t k);
// Keeps the pairs whose value is at least `least`, in order; returns how many.
std::size_t keep_at_least(std::int32_t* values, std::int32_t* indices, std::size_t n,
                          std::int32_t least);

// All scores at once. scratch: TopK::capacity(k) entries.
std::size_t top_k(const float* scores, std::size_t n, std::size_t k, std::int32_t* out,
                  std::uint64_t* scratch);

}  // namespace ambit::inference::ops
