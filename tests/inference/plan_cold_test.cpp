#include "inference/plan_cold.h"

#include <gtest/gtest.h>

namespace ambit::inference {
namespace {

// V4-Flash in round numbers: 43 layers, 256 experts of 13.4 MB, 6 of them a token.
class ColdPlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.num_hidden_layers = 43;
    config_.hidden_size = 4096;
    config_.moe_intermediate_size = 2048;
    config_.num_experts_per_tok = 6;
    config_.compress_ratios.assign(43, 0);
    sizes_.one_expert = 13'369'344;
    sizes_.routed_experts = 43 * 256 * sizes_.one_expert;
    sizes_.active_routed = 43 * 6 * sizes_.one_expert;
    sizes_.attention = 5'000'000'000;
    sizes_.active_parameters = 13e9;
    plan_.fits = true;
    plan_.host_bytes = sizes_.routed_experts / 4;
    plan_.decode_tps = 25;
  }
  ColdPlan plan() const { return plan_cold_experts(config_, sizes_, plan_, 1, card_, machine_); }
  ModelConfig config_;
  Footprint sizes_;
  Plan plan_;
  Card card_{"card", 32'000'000'000, 1792, 25, 104'800};
  Machine machine_{256'000'000'000, 70, 1000, 40};
};

TEST_F(ColdPlanTest, TheSlowerOfCardAndCpuCountsAndATurnALayer) {
  const double dense = 5e9 / 1792e9, turns = 43 * 20e-6;
  // FP4 experts are read at the rate of the FP4 kernel.
  EXPECT_NEAR(plan().decode_tps, 1 / (dense + 0.25 * 43 * 6 * 13'369'344 / 40e9 + turns), 0.05);
  EXPECT_TRUE(plan().pays);
  plan_.decode_tps = 40;
  EXPECT_FALSE(plan().pays);
  // A piece of a prompt, 512 tokens, meets every expert: the CPU reads all of its own.
  const double of_experts = 43.0 * 6 * 3 * 4096 * 2048, rest = (13e9 - of_experts) / 104.8e12;
  EXPECT_NEAR(plan().prefill_tps, 1 / (rest + 43.0 * 64 * 13'369'344 / 512 / 40e9), 1);
  // Where it multiplies more slowly than it reads, that counts.
  machine_.multiply_gops = 500;
  EXPECT_NEAR(plan().prefill_tps, 1 / (rest + 0.25 * of_experts / 500e9), 1);
  // A host as fast as the card: the card's own experts take longer.
  machine_ = {256'000'000'000, 1792, 104'800, 1792};
  EXPECT_NEAR(plan().decode_tps, 1 / (dense + 0.75 * 43 * 6 * 13'369'344 / 1792e9 + turns), 1);
}

TEST_F(ColdPlanTest, WithoutExpertsInHostMemoryThereIsNothingToSay) {
  plan_.host_bytes = 0;
  EXPECT_EQ(plan().decode_tps, 0);
  EXPECT_FALSE(plan().pays);
}

}  // namespace
}  // namespace ambit::inference
