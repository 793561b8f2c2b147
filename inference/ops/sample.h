// The choice of the next token from a row of logits, with a result that no order of work changes:
// what a card chooses is what the CPU chooses, to the last bit of the log-probability's sum.
//
// A token's weight is e^(x - the largest x) in whole numbers of 2^-40, so sums of weights are
// exact. Everything before that is single operations whose rounding IEEE 754 fixes (one division by
// the temperature, one subtraction); e^x is a polynomial in whole numbers. The error of a weight is
// below 1.2e-8 + 1.4e-8 (largest - x) of it, and 2^-39.
//
// Order of the filters on the tempered logits, likeliest first, ties to the lower id, NaN last:
// the top_k likeliest; of them the shortest head whose weight reaches top_p of theirs; of it what
// weighs at least min_p of the likeliest. `random` times the weight of what is left, high half, is
// the place that is looked up in the running sum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#ifdef __CUDACC__
#define AMBIT_ALSO_DEVICE __host__ __device__
#else
#define AMBIT_ALSO_DEVICE
#endif

namespace ambit::inference::ops {

// How one row's token is chosen.
struct SampleRow {
  float temperature = 0;     // 0 or less: the likeliest
  float top_p = 1;           // 1 or more: all
  float min_p = 0;           // 0 or less: all
  std::int32_t top_k = 0;    // 0 or less: all
  std::uint64_t random = 0;  // random_at() of seed and place in the answer
  std::int32_t given = -1;   // not negative: this token is taken, whatever the rest says
  std::int32_t mask = -1;    // row of the masks; -1: every token may come
};

// One row's answer. Log-probability: logit - largest - log(sum / kWeightOne), of all tokens,
// without temperature, filters and mask.
struct Sampled {
  std::uint64_t sum = 0;
  float logit = 0, largest = 0;
  std::int32_t id = -1;  // -1: the mask lets none come
  std::int32_t unused = 0;
};

// Words of a mask over `vocab` tokens: bit id % 32 of word id / 32 is set where a token may come.
[[nodiscard]] AMBIT_ALSO_DEVICE constexpr std::size_t mask_words(std::size_t vocab) {
  return (vocab + 31) / 32;
}

// 64 random bits from a counter: SplitMix64's finaliser over both numbers.
[[nodiscard]] std::uint64_t random_at(std::uint64_t seed, std::uint64_t index);

inline constexpr std::uint64_t kWeightOne = std::uint64_t{1} << 40U;

// kWeightOne · e^(x - largest), where x is not above largest; 0 for NaN.
[[nodiscard]] AMBIT_ALSO_DEVICE inline std::uint64_t weight_of(float x, float largest) {
  if (x == largest) return kWeightOne;
  const float below = largest - x;
  if (!(below < 28)) return 0;                                     // e^-28 < 2^-40
  const auto fixed = static_cast<std::uint64_t>(below * 0x1p32F);  // the product is exact
  const std::uint64_t halvings = (fixed * 24204406U) >> 24U;       // times log2 e
  // 2^-f = 1 - f (c0 - f (c1 - …)), fitted on [0, 1]: within 1.1e-8.
  const std::uint64_t f = halvings & 0xFFFFFFFFU;
  std::uint64_t p = 0x00078809U;
  p = 0x0054A612U - (f * p >> 32U);
  p = 0x0274F388U - (f * p >> 32U);
  p = 0x0E353290U - (f * p >> 32U);
  p = 0x3D7F7506U - (f * p >> 32U);
  p = 0xB17217DFU - (f * p >> 32U);
  p = 0x100000000U - (f * p >> 32U);
  return (p << 8U) >> (halvings >> 32U);
}

// The least weight that a share of `total` takes.
[[nodiscard]] AMBIT_ALSO_DEVICE inline std::uint64_t weight_share(float share,
                                                                  std::uint64_t total) {
  return static_cast<std::uint64_t>(static_cast<double>(share) * static_cast<double>(total));
}

// On the CPU. Keeps its scratch between calls.
class RowSampler {
 public:
  // mask: empty, or mask_words() words. row.mask is not looked at.
  [[nodiscard]] Sampled sample(std::span<const float> logits, const SampleRow& row,
                               std::span<const std::uint32_t> mask = {});
  // The id alone.
  [[nodiscard]] std::int32_t choose(std::span<const float> logits, const SampleRow& row,
                                    std::span<const std::uint32_t> mask = {});

 private:
  struct Entry {
    float x;
    std::int32_t id;
  };
  std::vector<Entry> order_;
};

}  // namespace ambit::inference::ops
