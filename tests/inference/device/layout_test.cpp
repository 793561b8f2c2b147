// Which cards a model is put on and how it is split, from sizes alone.
#include "inference/device/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace ambit::inference {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kGb = 1'000'000'000;

ops::cuda::DeviceInfo card(int number, std::uint64_t gb, int major = 12) {
  ops::cuda::DeviceInfo i{};
  i.card = number;
  std::strcpy(i.name, "a card");
  i.major = major;
  i.memory_bytes = i.free_bytes = gb * kGb;
  return i;
}

// V4-Flash by its size: 43 layers, a draft block on the last card.
class LayoutTest : public testing::Test {
 protected:
  LayoutTest() {
    config_.num_hidden_layers = 43;
    config_.hidden_size = 4096;
    config_.num_attention_heads = 64;
    config_.head_dim = 512;
    config_.q_lora_rank = 1024;
    config_.o_groups = 8;
    config_.o_lora_rank = 1024;
    config_.num_experts_per_tok = 6;
    config_.n_routed_experts = 256;
    config_.moe_intermediate_size = 2048;
    config_.index_n_heads = 64;
    config_.index_head_dim = 128;
    config_.index_topk = 512;
    config_.hc_mult = 4;
    sizes_.layers.assign(43, 36 * kGb / 10);
    sizes_.first = sizes_.last_alone = kGb;
    sizes_.last = 5 * kGb;
    std::vector<LayerKind> kinds(2);
    for (int l = 2; l < 43; ++l) kinds.push_back({l % 2 == 0 ? 4 : 128, l % 2 == 0});
    kinds.emplace_back();  // the draft block
    shape_ = StateShape::make(
        kinds, {.head_dim = 512, .rope = 64, .index_dim = 128, .rounded = true, .packed = true},
        128, 4 * 4096);
    options_.state_bytes = 4 * kGb;
  }

  Result<DeviceLayout> lay_out(const std::vector<ops::cuda::DeviceInfo>& found) {
    return inference::lay_out(found, config_, sizes_, shape_, options_);
  }
  std::string problem(const std::vector<ops::cuda::DeviceInfo>& found) {
    const auto layout = lay_out(found);
    return layout ? std::string() : layout.error().message;
  }

  ModelConfig config_;
  WeightSizes sizes_;
  StateShape shape_;
  DeviceOptions options_;
};

TEST_F(LayoutTest, AsFewCardsAsHoldTheModelEachWithItsShare) {
  const auto layout = lay_out({card(0, 96), card(1, 48), card(2, 96), card(3, 96)});
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_TRUE(layout->fits);
  ASSERT_EQ(layout->cards.size(), 2U);
  const CardLayout& a = layout->cards[0];
  const CardLayout& b = layout->cards[1];
  EXPECT_EQ(a.info.card, 0);
  EXPECT_EQ(b.info.card, 2);
  EXPECT_TRUE(a.share.first && !a.share.last && !b.share.first && b.share.last);
  // The head, the draft block and the second embedding are some layers' worth.
  EXPECT_EQ(a.share.layers.end, b.share.layers.first);
  EXPECT_GT(a.share.layers.size(), b.share.layers.size());
  EXPECT_GE(a.weights_bytes, sizes_.first + a.share.layers.size() * sizes_.layers[0]);
  EXPECT_GE(b.weights_bytes, sizes_.last + kGb + b.share.layers.size() * sizes_.layers[0]);
  // Each layer's state is on its card, and the last token's streams on the last one.
  const std::size_t window = static_cast<std::size_t>(StatePart::kWindow);
  EXPECT_EQ(layout->cuts[1][window], 4 * shape_.layers[b.share.layers.first].window_at);
  EXPECT_EQ(layout->cuts[2][window], 4 * shape_.window_floats);
  // 4096 rows in 4 pieces; a step of one token whole.
  EXPECT_EQ(layout->most_rows, 4096U);
  EXPECT_EQ(layout->pieces(4096), 4U);
  EXPECT_EQ(layout->pieces(8), 1U);

  const auto one = lay_out({card(0, 96), card(1, 288)});
  ASSERT_TRUE(one);
  ASSERT_EQ(one->cards.size(), 1U);
  EXPECT_EQ(one->cards[0].info.card, 1);
  EXPECT_EQ(one->pieces(4096), 1U);
}

TEST_F(LayoutTest, WhereAllAreTooSmallAllOfOneKindAreTaken) {
  const auto layout = lay_out({card(0, 32), card(1, 32), card(2, 24, 8), card(3, 32)});
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_FALSE(layout->fits);
  ASSERT_EQ(layout->cards.size(), 3U);
  EXPECT_EQ(layout->cards[2].info.card, 3);
  // Experts come from the host once a piece, so there are few of them.
  EXPECT_LE(layout->pieces(4096), 2U);
}

TEST_F(LayoutTest, TheCpuComputesExpertsBesideOneCardAlone) {
  options_.cpu_experts = true;
  const auto alone = lay_out({card(0, 32), card(1, 48)});
  ASSERT_TRUE(alone) << alone.error().message;
  ASSERT_EQ(alone->cards.size(), 1U);
  EXPECT_EQ(alone->cards[0].info.card, 1);
  EXPECT_TRUE(alone->cpu_experts);
  EXPECT_EQ(alone->most_rows, 512U);
  // Where several hold everything, nothing is left for it.
  const auto two = lay_out({card(0, 96), card(1, 96)});
  ASSERT_TRUE(two);
  EXPECT_EQ(two->cards.size(), 2U);
  EXPECT_FALSE(two->cpu_experts);
  options_.cards = {0, 1};
  EXPECT_TRUE(lay_out({card(0, 96), card(1, 96)}));
  EXPECT_EQ(problem({card(0, 32), card(1, 48)}),
            "engine.host_experts = \"cpu\" works with one card; name one in engine.cards, or set "
            "engine.host_experts = \"card\"");
}

TEST_F(LayoutTest, NamedCardsAreTakenInTheirOrderOrRefused) {
  const std::vector<ops::cuda::DeviceInfo> found = {card(0, 288), card(1, 288), card(4, 24, 8)};
  options_.cards = {1, 0};
  const auto layout = lay_out(found);
  ASSERT_TRUE(layout) << layout.error().message;
  ASSERT_EQ(layout->cards.size(), 2U);
  EXPECT_EQ(layout->cards[0].info.card, 1);
  options_.cards = {3};
  EXPECT_THAT(problem(found), HasSubstr("card 3, which is not there; there are 0 (a card), 1"));
  options_.cards = {1, 1};
  EXPECT_THAT(problem(found), HasSubstr("card 1 twice"));
  options_.cards = {0, 4};
  EXPECT_THAT(problem(found), HasSubstr("12.0 and 8.0"));
  options_.cards = {0, 1};
  sizes_.layers.resize(1);
  EXPECT_THAT(problem(found), HasSubstr("at most 1"));
}

}  // namespace
}  // namespace ambit::inference
