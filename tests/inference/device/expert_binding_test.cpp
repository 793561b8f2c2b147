#include "inference/device/expert_binding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ambit::inference {
namespace {

constexpr std::size_t kBlocks = 2, kExperts = 5;

std::vector<std::uint8_t> cpu(std::initializer_list<int> v) {
  return {v.begin(), v.end()};
}

TEST(ExpertUse, WithNothingKnownTheFirstExpertsOfEachBlockAreTheCards) {
  ExpertUse use(kBlocks, kExperts);
  EXPECT_EQ(use.bind(5).cpu, cpu({0, 0, 0, 1, 1, 0, 0, 1, 1, 1}));
  EXPECT_EQ(ExpertUse(kBlocks, kExperts).bind(0).on_card(), 0U);
  EXPECT_EQ(ExpertUse(kBlocks, kExperts).bind(10).on_card(), 10U);
}

TEST(ExpertUse, WhatIsChosenOftenIsTheCardsFromTheNextRunOn) {
  ExpertUse use(kBlocks, kExperts);
  use.add(std::vector<std::uint32_t>{1, 0, 0, 90, 0, 50, 60, 0, 0, 70}, 100);
  EXPECT_EQ(use.bind(4).cpu, cpu({1, 1, 1, 0, 1, 0, 0, 1, 1, 0}));
  EXPECT_NEAR(use.share_on_card(), 270.0 / 271, 1e-9);
  // Totals, not what was added; they may wrap around.
  use.add(std::vector<std::uint32_t>{0xFFFFFFFFU, 0, 0, 90, 0, 50, 60, 0, 0, 70}, 1);
  EXPECT_EQ(use.bind(1).cpu, cpu({0, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
}

TEST(ExpertUse, ABindingStaysUntilAnotherSavesATenthOrItDoesNotFit) {
  std::vector<std::uint32_t> totals(200, 100);
  ExpertUse use(1, 200);
  const auto first = use.bind(100).cpu;
  totals[150] = 500;  // 10,000 choices are the CPU's; the best would save 400 of 10,400
  use.add(totals, 1000);
  EXPECT_EQ(use.bind(100).cpu, first);
  EXPECT_EQ(use.bind(104).cpu, first) << "four places more are not worth new state";
  for (std::size_t e = 150; e < 160; ++e) totals[e] = 500;
  use.add(totals, 1000);
  const auto second = use.bind(100).cpu;
  EXPECT_NE(second, first);
  EXPECT_EQ(second[155], 0);
  EXPECT_NE(use.bind(99).cpu, second) << "it does not fit";
  EXPECT_EQ(use.bind(99).on_card(), 99U);
  EXPECT_EQ(use.bind(120).on_card(), 120U) << "a sixth of the places would be empty";
}

TEST(ExpertUse, TheFingerprintNamesModelArithmeticAndBinding) {
  ExpertBinding a{1, 4, cpu({0, 1, 0, 1})};
  const auto one = a.fingerprint(7, "AVX2");
  EXPECT_EQ(one, a.fingerprint(7, "AVX2"));
  EXPECT_NE(one, a.fingerprint(8, "AVX2"));
  EXPECT_NE(one, a.fingerprint(7, "AVX3"));
  a.cpu[0] = 1;
  EXPECT_NE(one, a.fingerprint(7, "AVX2"));
}

class ExpertUseFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "ambit-use-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    file_ = folder_ / "deeper" / "experts";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Code refused(std::uint64_t fingerprint, std::size_t blocks, std::size_t experts) {
    const auto use = ExpertUse::load(file_, fingerprint, blocks, experts);
    EXPECT_FALSE(use);
    return use ? Code::kInternal : use.error().code;
  }
  std::filesystem::path folder_, file_;
};

TEST_F(ExpertUseFile, KeepsCountsAndBinding) {
  EXPECT_EQ(refused(3, kBlocks, kExperts), Code::kNotFound);
  ExpertUse use(kBlocks, kExperts);
  use.add(std::vector<std::uint32_t>{1, 0, 0, 90, 0, 50, 60, 0, 0, 70}, 100);
  const auto bound = use.bind(4).cpu;
  ASSERT_TRUE(use.save(file_, 3, file_system()));
  auto again = ExpertUse::load(file_, 3, kBlocks, kExperts);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->tokens(), 100U);
  EXPECT_EQ(again->binding().cpu, bound);
  EXPECT_EQ(again->share_on_card(), use.share_on_card());
  // Totals begin anew with each run.
  again->add(std::vector<std::uint32_t>{200, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 100);
  EXPECT_EQ(again->bind(1).cpu, cpu({0, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
}

TEST_F(ExpertUseFile, IsRefusedWhenAnythingOfItIsWrong) {
  ASSERT_TRUE(ExpertUse(kBlocks, kExperts).save(file_, 3, file_system()));
  EXPECT_EQ(refused(4, kBlocks, kExperts), Code::kCorrupt) << "of another model";
  EXPECT_EQ(refused(3, kExperts, kBlocks), Code::kCorrupt) << "of other shapes";
  const std::string whole = *read_file(file_);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string text = whole;
    text[at] = static_cast<char>(text[at] ^ 4);
    ASSERT_TRUE(file_system().replace(file_, text));
    ASSERT_EQ(refused(3, kBlocks, kExperts), Code::kCorrupt) << at;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{31}, whole.size() - 1}) {
    ASSERT_TRUE(file_system().replace(file_, whole.substr(0, size)));
    ASSERT_EQ(refused(3, kBlocks, kExperts), Code::kCorrupt) << size;
  }
  ASSERT_TRUE(file_system().replace(file_, whole + "x"));
  EXPECT_FALSE(ExpertUse::load(file_, 3, kBlocks, kExperts));
}

}  // namespace
}  // namespace ambit::inference
