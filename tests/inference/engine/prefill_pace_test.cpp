// How long steps get against machines whose costs are known.
#include "inference/engine/prefill_pace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ambit::inference {
namespace {

struct Cost {
  double fixed, each, noise = 0.05;
};

// The size that steps settle at.
std::size_t settled(const Cost& cost, double wait_ms, double most_ms, std::size_t most,
                    PrefillPace* pace = nullptr) {
  PrefillPace own;
  PrefillPace& p = pace == nullptr ? own : *pace;
  std::mt19937 random(3);
  std::normal_distribution<double> noise(1.0, cost.noise);
  std::size_t n = 0;
  for (int i = 0; i < 60; ++i) {
    n = p.next(wait_ms, most_ms, most);
    p.note(n, (cost.fixed + cost.each * static_cast<double>(n)) * std::max(noise(random), 0.5));
  }
  return n;
}

TEST(PrefillPace, ASmallModelsStepsTakeAsLongAsAKeystrokeMayWait) {
  const auto n = static_cast<double>(settled({0.2, 0.05}, 12, 80, 512));
  EXPECT_NEAR(0.2 + 0.05 * n, 12, 3);
}

TEST(PrefillPace, AFixedCostIsNotPaidForAHandfulOfTokens) {
  // 40 ms of weights whatever is read: in 12 ms nothing fits. Worth it are 160 tokens and 80 ms.
  const auto n = settled({40, 0.25}, 12, 80, 2048);
  EXPECT_GE(n, 100U);
  EXPECT_LE(40 + 0.25 * static_cast<double>(n), 100);
}

TEST(PrefillPace, NothingIsLongerThanItMayBe) {
  // Half of a step for 400 ms of fixed cost would be 800 ms.
  const auto n = settled({250, 0.5}, 40, 300, 2048);
  EXPECT_LE(250 + 0.5 * static_cast<double>(n), 330);
}

TEST(PrefillPace, LongStepsWhenNobodyWaitsAndShortOnesAtOnceWhenSomebodyDoes) {
  PrefillPace pace;
  EXPECT_EQ(settled({1, 0.05}, 300, 300, 512, &pace), 512U);
  const auto n = static_cast<double>(pace.next(12, 80, 512));
  EXPECT_NEAR(1 + 0.05 * n, 12, 4);
}

TEST(PrefillPace, StaysWithinItsBounds) {
  PrefillPace pace;
  EXPECT_EQ(pace.next(12, 80, 512), PrefillPace::kFirst);
  EXPECT_EQ(pace.next(12, 80, 8), 8U);
  pace.note(32, 1e9);  // the first one brings weights from the disk
  EXPECT_EQ(pace.next(12, 80, 512), PrefillPace::kFirst);
  pace.note(32, 1e4);
  EXPECT_EQ(pace.next(12, 80, 512), PrefillPace::kFewest);
  for (int i = 0; i < 60; ++i) pace.note(16, 0);
  EXPECT_EQ(pace.next(12, 80, 512), 512U);
}

}  // namespace
}  // namespace ambit::inference
