#include "inference/device/hot_experts.h"

#include <gtest/gtest.h>

#include <random>

namespace ambit::inference {
namespace {

constexpr std::size_t kLayers = 3, kExperts = 16, kPlaces = 6;

std::vector<bool> first_places() {
  std::vector<bool> on_card(kLayers * kExperts);
  for (std::size_t i = 0; i < on_card.size(); ++i) on_card[i] = i % kExperts < kPlaces;
  return on_card;
}

// Tokens that choose one expert a layer: `favourite` of ten times in nine.
void choose(std::vector<std::uint32_t>& totals, std::size_t favourite, std::size_t tokens,
            std::mt19937& random) {
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t layer = 0; layer < kLayers; ++layer) {
      const std::size_t e = random() % 10 != 0 ? favourite + layer : random() % kExperts;
      ++totals[layer * kExperts + e];
    }
  }
}

TEST(HotExperts, WhatIsChosenOftenComesToTheCardAndLeavesItAgain) {
  HotExperts hot(kLayers, kExperts, first_places());
  std::vector<std::uint32_t> totals(kLayers * kExperts);
  std::mt19937 random(1);
  for (const std::size_t favourite : {9U, 12U}) {
    for (int step = 0; step < 200; ++step) {
      choose(totals, favourite, 64, random);
      hot.observe(totals, 64);
      (void)hot.take(2);
    }
    EXPECT_GT(hot.share_on_card(), 0.9) << favourite;
  }
}

TEST(HotExperts, AsManyLeaveALayersPlacesAsCome) {
  HotExperts hot(kLayers, kExperts, first_places());
  std::vector<bool> on_card = first_places();
  std::vector<std::uint32_t> totals(kLayers * kExperts);
  std::mt19937 random(2);
  for (int step = 0; step < 300; ++step) {
    choose(totals, random() % (kExperts - kLayers), 50, random);
    hot.observe(totals, 50);
    const auto exchanges = hot.take(3);
    ASSERT_LE(exchanges.size(), 3U);
    for (const HotExperts::Exchange& x : exchanges) {
      ASSERT_FALSE(on_card[x.layer * kExperts + x.in]);
      ASSERT_TRUE(on_card[x.layer * kExperts + x.out]);
      on_card[x.layer * kExperts + x.in] = true;
      on_card[x.layer * kExperts + x.out] = false;
    }
  }
}

TEST(HotExperts, WhatIsChosenEvenlyStaysWhereItIs) {
  HotExperts hot(kLayers, kExperts, first_places());
  std::vector<std::uint32_t> totals(kLayers * kExperts);
  for (int step = 0; step < 100; ++step) {
    for (std::uint32_t& t : totals) ++t;
    hot.observe(totals, kExperts);
    EXPECT_TRUE(hot.take(8).empty());
  }
  EXPECT_NEAR(hot.share_on_card(), static_cast<double>(kPlaces) / kExperts, 1e-6);
}

}  // namespace
}  // namespace ambit::inference
