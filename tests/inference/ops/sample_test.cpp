// The choice of tokens: the weights against libm, the filters against the words of their contract.
#include "inference/ops/sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace ambit::inference::ops {
namespace {

std::vector<float> normal_logits(std::size_t n, float spread, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> out(n);
  for (float& x : out) x = normal(random);
  return out;
}

TEST(Sample, WeightsAreTheExponentialAndNeverRise) {
  std::uint64_t before = kWeightOne;
  for (float below = 0; below < 30; below += 0.00037F) {
    const std::uint64_t w = weight_of(5 - below, 5);
    const double want = std::exp(static_cast<double>(5 - below) - 5) * 0x1p40;
    ASSERT_NEAR(static_cast<double>(w), want, (1.2e-8 + 1.4e-8 * below) * want + 2) << below;
    ASSERT_LE(w, before) << below;
    before = w;
  }
  EXPECT_EQ(weight_of(-INFINITY, 0), 0U);
  EXPECT_EQ(weight_of(NAN, 0), 0U);
  EXPECT_EQ(weight_of(INFINITY, INFINITY), kWeightOne);
}

TEST(Sample, SumGivesTheLogProbability) {
  const auto logits = normal_logits(129280, 3, 1);
  RowSampler sampler;
  const Sampled s = sampler.sample(logits, {.given = 77});
  double sum = 0;
  const double largest = *std::max_element(logits.begin(), logits.end());
  for (const float x : logits) sum += std::exp(x - largest);
  EXPECT_EQ(s.id, 77);
  EXPECT_NEAR(std::log(static_cast<double>(s.sum) / kWeightOne), std::log(sum), 1e-7);
}

// What is chosen lies in the head that the filters leave, counted here by sorting everything.
TEST(Sample, FiltersLeaveTheHeadOfTheirContract) {
  RowSampler sampler;
  for (unsigned seed = 0; seed < 200; ++seed) {
    const auto logits = normal_logits(300, 2, seed);
    SampleRow row{.temperature = 0.4F + 0.01F * static_cast<float>(seed),
                  .random = random_at(9, seed)};
    if (seed % 2 != 0) row.top_k = static_cast<std::int32_t>(1 + seed % 40);
    if (seed % 3 != 0) row.top_p = 0.1F + 0.004F * static_cast<float>(seed);
    if (seed % 5 != 0) row.min_p = 0.002F * static_cast<float>(seed % 100);
    std::vector<std::size_t> order(logits.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
    const auto weight = [&](std::size_t place) {
      return std::exp((static_cast<double>(logits[order[place]]) - logits[order[0]]) /
                      row.temperature);
    };
    std::size_t most = row.top_k > 0 ? static_cast<std::size_t>(row.top_k) : order.size();
    double total = 0, kept = 0;
    for (std::size_t i = 0; i < most; ++i) total += weight(i);
    std::size_t n = 0;
    while (n < most && (n == 0 || (kept < row.top_p * total && weight(n) >= row.min_p))) {
      kept += weight(n++);
    }
    const auto id = static_cast<std::size_t>(sampler.sample(logits, row).id);
    const auto place =
        static_cast<std::size_t>(std::find(order.begin(), order.end(), id) - order.begin());
    ASSERT_LT(place, n) << seed;
    double low = 0;
    for (std::size_t i = 0; i < place; ++i) low += weight(i);
    const double u = static_cast<double>(row.random) * 0x1p-64 * kept;
    ASSERT_LE(low, u + 1e-6 * kept) << seed;
    ASSERT_GE(low + weight(place), u - 1e-6 * kept) << seed;
  }
}

TEST(Sample, MasksTiesAndNothingLeft) {
  RowSampler sampler;
  const std::vector<float> logits = {1, 5, 5, NAN, 4};
  EXPECT_EQ(sampler.sample(logits, {}).id, 1);
  const std::vector<std::uint32_t> last_three = {0x1C};
  EXPECT_EQ(sampler.sample(logits, {}, last_three).id, 2);
  const std::vector<std::uint32_t> only_nan = {0x08};
  EXPECT_EQ(sampler.sample(logits, {}, only_nan).id, 3);
  EXPECT_EQ(sampler.sample(logits, {.temperature = 1}, only_nan).id, 3);
  const std::vector<std::uint32_t> none = {0};
  EXPECT_EQ(sampler.sample(logits, {}, none).id, -1);
  EXPECT_EQ(sampler.sample(logits, {.temperature = 1}, none).id, -1);
}

}  // namespace
}  // namespace ambit::inference::ops
