// The byte model against what is published of the released checkpoints.
#include "inference/plan.h"

#include <gtest/gtest.h>

#include <cmath>

#include "inference/plan_machine.h"

namespace ambit::inference {
namespace {

constexpr const char* kQuantised = R"({"quantization_config": {"quant_method": "fp8"}})";

ModelConfig flash() {
  ModelConfig c;
  c.vocab_size = 129280;
  c.hidden_size = 4096;
  c.num_hidden_layers = 43;
  c.num_attention_heads = 64;
  c.head_dim = 512;
  c.qk_rope_head_dim = 64;
  c.q_lora_rank = 1024;
  c.o_groups = 8;
  c.o_lora_rank = 1024;
  c.sliding_window = 128;
  c.index_n_heads = 64;
  c.index_head_dim = 128;
  c.index_topk = 512;
  c.n_routed_experts = 256;
  c.num_experts_per_tok = 6;
  c.moe_intermediate_size = 2048;
  c.num_hash_layers = 3;
  c.compress_ratios = {0, 0};
  for (int i = 0; i < 20; ++i) c.compress_ratios.insert(c.compress_ratios.end(), {4, 128});
  c.compress_ratios.insert(c.compress_ratios.end(), {4, 0});
  return c;
}

ModelConfig pro() {
  ModelConfig c = flash();
  c.hidden_size = 7168;
  c.num_hidden_layers = 61;
  c.num_attention_heads = 128;
  c.q_lora_rank = 1536;
  c.o_groups = 16;
  c.index_topk = 1024;
  c.n_routed_experts = 384;
  c.moe_intermediate_size = 3072;
  c.compress_ratios = {128, 128};
  for (int i = 0; i < 29; ++i) c.compress_ratios.insert(c.compress_ratios.end(), {4, 128});
  c.compress_ratios.insert(c.compress_ratios.end(), {4, 0});
  return c;
}

// Tensor bytes of the index files of the released checkpoints.
TEST(Plan, SizesAreThoseOfTheReleasedCheckpointsToTheByte) {
  const auto f = footprint(flash(), kQuantised);
  EXPECT_EQ(f.total(), 159609485896U);
  EXPECT_EQ(f.draft, 3593787756U);
  EXPECT_EQ(f.one_expert, 13369344U);
  const auto p = footprint(pro(), kQuantised);
  EXPECT_EQ(p.total(), 864704792696U);
  EXPECT_EQ(p.draft, 13956587692U);
  EXPECT_EQ(p.one_expert, 35094528U);
}

TEST(Plan, DsparkBlocksAreThoseOfTheReleasedCheckpointToTheByte) {
  const auto with = [](ModelConfig c, std::int32_t last) {
    c.dspark_block_size = 5;
    c.dspark_markov_rank = 256;
    c.dspark_target_layer_ids = {last - 2, last - 1, last};
    c.compress_ratios.insert(c.compress_ratios.end(), {0, 0});
    return footprint(c, kQuantised);
  };
  EXPECT_EQ(with(flash(), 42).draft, 10862838300U);
  EXPECT_EQ(with(flash(), 42).total(), 166878536440U);
  EXPECT_EQ(with(pro(), 60).draft, 41846992668U);  // counted in the design notes, in no index yet
  EXPECT_EQ(with(flash(), 42).read_per_token(), footprint(flash(), kQuantised).read_per_token());
}

TEST(Plan, ATokenReadsAndMultipliesWhatTheDesignNotesCounted) {
  EXPECT_NEAR(footprint(flash(), kQuantised).read_per_token() / 1e9, 11.22, 0.005);
  EXPECT_NEAR(footprint(pro(), kQuantised).read_per_token() / 1e9, 39.67, 0.005);
  EXPECT_NEAR(footprint(flash(), kQuantised).active_parameters * 2 / 1e9, 26.5, 0.05);
  EXPECT_NEAR(footprint(pro(), kQuantised).active_parameters * 2 / 1e9, 97.7, 0.1);
}

TEST(Plan, StateGrowsAsPublished) {
  EXPECT_NEAR(packed_state(flash(), 1 << 20).per_token, 3514, 0.5);
  EXPECT_NEAR(packed_state(pro(), 1 << 20).per_token, 5031, 0.5);
  EXPECT_NEAR(packed_state(flash(), 1 << 20).read_per_token / 1e6, 480, 1);
  EXPECT_NEAR(packed_state(pro(), 131072).read_per_token / 1e6, 108, 1);
}

TEST(Plan, RefusesWithASentenceInsteadOfRunningOut) {
  Machine machine{24'000'000'000, 50, 200};
  const auto sizes = footprint(flash(), kQuantised);
  const auto no = make_plan(flash(), sizes, 0, 131072, machine);
  EXPECT_FALSE(no.fits);
  EXPECT_NE(no.refusal.find("159.6 GB of weights"), std::string::npos) << no.refusal;
  EXPECT_EQ(no.refusal.find('\n'), std::string::npos);
  machine.memory_bytes = 256'000'000'000;
  const auto yes = make_plan(flash(), sizes, 0, 131072, machine);
  EXPECT_TRUE(yes.fits);
  EXPECT_TRUE(yes.refusal.empty());
  // 11.218 GB of weights and 47 MB of index keys, 6 + 12 MB of rows, 3 MB of windows.
  EXPECT_NEAR(yes.decode_tps, 50 / (11.218 + 0.068), 0.002);
  // A longer context only costs.
  EXPECT_LT(make_plan(flash(), sizes, 0, 1 << 20, machine).decode_tps, yes.decode_tps);
}

const Card& card(std::string_view name) {
  for (const Card& c : known_cards()) {
    if (c.name == name) return c;
  }
  ADD_FAILURE() << "no card " << name;
  return known_cards()[0];
}

TEST(Plan, ExpertsThatDoNotFitACardLieInHostMemory) {
  const Machine machine{256'000'000'000, 50, 200};
  const auto sizes = footprint(flash(), kQuantised);
  const auto small = make_cards_plan(flash(), sizes, 0, 131072, {card("rtx-5090")}, machine);
  EXPECT_TRUE(small.fits) << small.refusal;
  // 43 layers of 3.42 GB; what is not an expert, fp32 state and scratch leave room for few of them.
  EXPECT_EQ(small.card_bytes + small.host_bytes, sizes.total());
  EXPECT_LE(small.card_bytes + small.kv_bytes + (std::uint64_t{1} << 30U), 32'000'000'000U);
  const double layer = 256.0 * 13369344;
  const double away = small.host_bytes / layer;
  EXPECT_NEAR(away, std::round(away), 1e-9) << "whole layers";
  const double host = away / 43 * sizes.active_routed / 63e9;
  const double own = (sizes.read_per_token() - away / 43 * sizes.active_routed +
                      packed_state(flash(), 131072).read_per_token) /
                     1792e9;
  EXPECT_NEAR(small.decode_tps, 1 / (host + own), 1e-6);
  // More of the card: more layers on it, faster.
  const auto large = make_cards_plan(flash(), sizes, 0, 131072, {card("rtx-pro-6000")}, machine);
  EXPECT_GT(large.card_bytes, small.card_bytes + 50'000'000'000);
  EXPECT_GT(large.decode_tps, 1.5 * small.decode_tps);
  Card all = card("h200");
  all.memory_bytes *= 2;
  const auto whole = make_cards_plan(flash(), sizes, 0, 131072, {all}, machine);
  EXPECT_EQ(whole.host_bytes, 0U);
  EXPECT_NEAR(whole.decode_tps, 4800 / (11.218 + 0.068), 0.3);
}

TEST(Plan, ACardThatIsTooSmallIsRefusedWithASentence) {
  const auto sizes = footprint(flash(), kQuantised);
  const auto little =
      make_cards_plan(flash(), sizes, 0, 131072, {card("rtx-5090")}, {64'000'000'000, 50, 200});
  EXPECT_FALSE(little.fits);
  EXPECT_NE(little.refusal.find("must lie in this machine's memory"), std::string::npos)
      << little.refusal;
  const auto spark =
      make_cards_plan(flash(), sizes, 0, 131072, {card("dgx-spark")}, {256'000'000'000, 50, 200});
  EXPECT_FALSE(spark.fits);
  EXPECT_NE(spark.refusal.find("no other memory"), std::string::npos) << spark.refusal;
  Card tiny = card("rtx-5090");
  tiny.memory_bytes = 8'000'000'000;
  const auto none = make_cards_plan(flash(), sizes, 0, 131072, {tiny}, {256'000'000'000, 50, 200});
  EXPECT_FALSE(none.fits);
  EXPECT_NE(none.refusal.find("without any routed expert"), std::string::npos) << none.refusal;
  EXPECT_EQ(none.refusal.find('\n'), std::string::npos);
}

TEST(Plan, LayersAreSplitOverCardsByWhatTheyNeed) {
  const Machine machine{64'000'000'000, 50, 200};
  const auto sizes = footprint(flash(), kQuantised);
  const std::vector<Card> two(2, card("rtx-pro-6000"));
  const auto plan = make_cards_plan(flash(), sizes, 0, 131072, two, machine);
  ASSERT_TRUE(plan.fits) << plan.refusal;
  EXPECT_EQ(plan.host_bytes, 0U);
  // All weights once, and the embedding again for the draft block.
  EXPECT_EQ(plan.card_bytes, sizes.total() + sizes.embedding);
  ASSERT_EQ(plan.cards.size(), 2U);
  EXPECT_EQ(plan.cards[0].layers.first, 0U);
  EXPECT_EQ(plan.cards[0].layers.end, plan.cards[1].layers.first);
  EXPECT_EQ(plan.cards[1].layers.end, 43U);
  EXPECT_EQ(plan.cards[0].state_bytes + plan.cards[1].state_bytes, plan.kv_bytes);
  // Neither could take a layer of the other without being the fuller one.
  const auto full = [&](std::size_t c) {
    return plan.cards[c].card_bytes + plan.cards[c].state_bytes;
  };
  EXPECT_LT(full(0) > full(1) ? full(0) - full(1) : full(1) - full(0), sizes.layers[20]);
  // One after the other: no faster than one card that held all of it.
  const double bytes = sizes.read_per_token() + packed_state(flash(), 131072).read_per_token;
  EXPECT_NEAR(plan.decode_tps, 1 / (bytes / 1792e9 + 1e-6 * kHandOverUs), 1e-6);
  // Both at once: 4096 rows in 4 pieces, of which the fifth time slot is the second card's alone.
  const double work = sizes.active_parameters / 252e12;
  const double most = 1 / (work / 2 * 5 / 4);
  EXPECT_LT(plan.prefill_tps, most);
  EXPECT_GT(plan.prefill_tps, 0.9 * most);

  const std::vector<Card> four(4, card("rtx-5090"));
  const auto no = make_cards_plan(flash(), sizes, 0, 131072, four, {32'000'000'000, 50, 200});
  EXPECT_FALSE(no.fits);
  EXPECT_NE(no.refusal.find("6 such cards"), std::string::npos) << no.refusal;
  const auto some = make_cards_plan(flash(), sizes, 0, 131072, four, machine);
  EXPECT_TRUE(some.fits) << some.refusal;
  EXPECT_GT(some.host_bytes, 0U);
}

TEST(Plan, ASplitFillsTheFullestCardLeast) {
  // A card of twice the room takes two thirds of nine layers of one size.
  const double room[] = {1, 2};
  const auto split = split_layers(
      9, 2, [&](std::size_t c, LayerRange l) { return static_cast<double>(l.size()) / room[c]; });
  EXPECT_EQ(split.ranges[0].size(), 3U);
  EXPECT_EQ(split.ranges[1].size(), 6U);
  EXPECT_EQ(split.fullest, 3);
  // No card is left without a layer, and what stands beside layers counts.
  const auto three = split_layers(6, 3, [&](std::size_t c, LayerRange l) {
    return static_cast<double>(l.size()) + (c == 2 ? 3 : 0);
  });
  EXPECT_EQ(three.ranges[2].size(), 1U);
  EXPECT_EQ(three.fullest, 4);
  EXPECT_EQ(three.ranges[0].end, three.ranges[1].first);
  EXPECT_EQ(three.ranges[1].end, three.ranges[2].first);
}

TEST(Plan, MemoryForStateIsForHalfAMillionTokensOrAQuarter) {
  ModelConfig wide = flash();
  wide.max_position_embeddings = 1 << 20;
  EXPECT_NEAR(default_state_bytes(wide, 64'000'000'000) / (3514.0 * 524288), 1, 1e-3);
  EXPECT_EQ(default_state_bytes(wide, 6'000'000'000), 1'500'000'000U);
  ModelConfig small = flash();
  small.max_position_embeddings = 1024;
  EXPECT_EQ(default_state_bytes(small, 64'000'000'000), std::uint64_t{1} << 30U);
}

TEST(Plan, MeasuresThisMachine) {
  const auto machine = measure_machine(1);
  EXPECT_GT(machine.memory_bytes, std::uint64_t{1} << 28);
  EXPECT_GT(machine.read_gbs, 0.0);
  EXPECT_GT(machine.multiply_gops, 0.0);
}

}  // namespace
}  // namespace ambit::inference
