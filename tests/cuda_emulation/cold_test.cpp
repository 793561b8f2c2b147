// Experts that the CPU computes, on a model whose card holds half of them: that its logits are
// right and the same on every path, who waits for whom, what is bound, what is remembered. (Longer
// sequences, and state through memory and disk: model_test.cpp with AMBIT_CUDA_ALL=1.)
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "inference/device/device_model.h"
#include "tests/cuda_emulation/half_of_experts.h"
#include "tests/cuda_emulation/orders.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;

class CudaColdExperts : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto folder = golden::folder("q-c");
    if (!folder) GTEST_SKIP() << "golden checkpoint q-c is not here";
    folder_ = *folder;
    options_.numerics = Numerics::kRelease;
    options_.state_bytes = std::uint64_t{64} << 20U;
    options_.cpu_experts = true;
    options_.threads = 2;
    options_.weights_bytes = bytes_with_half_of_experts(folder_);
    auto vectors = Safetensors::open(folder_ / "vectors.safetensors");
    ASSERT_TRUE(vectors);
    ids_ = golden::ints(*vectors, "S5/ids");
    std::string name = (fs::temp_directory_path() / "ambit-cold-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    state_ = name;
  }
  void TearDown() override {
    if (!state_.empty()) fs::remove_all(state_);
  }

  std::unique_ptr<StepModel> open() {
    auto model = open_device_model(folder_, options_);
    EXPECT_TRUE(model) << model.error().message;
    return model ? std::move(*model) : nullptr;
  }
  // The ids in one step, or one by one: what comes again is recorded, then replayed.
  std::vector<float> logits(StepModel& model, std::size_t chunk) {
    std::vector<float> out;
    KvCache cache(model.pages());
    for (std::size_t at = 0; at < ids_.size(); at += chunk) {
      const auto piece = std::span(ids_).subspan(at, std::min(chunk, ids_.size() - at));
      const StepInput in{.cache = &cache, .ids = piece, .logits_from = 0};
      const auto step = model.step({&in, 1});
      if (!step) {
        problem_ = step.error().message;
        return {};
      }
      out.insert(out.end(), step->logits.begin(), step->logits.end());
    }
    return out;
  }
  fs::path kept() {
    for (const auto& entry : fs::directory_iterator(state_)) return entry.path();
    return {};
  }
  // Loads the model, lets it compute, and ends it; its fingerprint, and its logits.
  std::uint64_t run(std::vector<float>* to = nullptr) {
    const auto model = open();
    if (!model) return 0;
    auto got = logits(*model, ids_.size());
    if (to != nullptr) *to = std::move(got);
    return model->fingerprint();
  }

  fs::path folder_, state_;
  DeviceOptions options_;
  std::vector<TokenId> ids_;
  std::string problem_;  // of the last step that failed
};

TEST_F(CudaColdExperts, GoldenLogitsAgree) {
  const auto vectors = Safetensors::open(folder_ / "vectors.safetensors");
  ASSERT_TRUE(vectors);
  const auto want = golden::floats(*vectors, "S5/logits");
  options_.numerics = Numerics::kPlain;
  const auto model = open();
  ASSERT_TRUE(model);
  const auto all = logits(*model, ids_.size());
  const std::size_t vocab = model->config().vocab_size;
  double largest = 0, sum = 0;
  std::size_t i = 0;
  for (const std::int32_t row : golden::ints(*vectors, "S5/logit_pos")) {
    for (std::size_t v = 0; v < vocab; ++v, ++i) {
      const double e = std::fabs(
          static_cast<double>(all.at(static_cast<std::size_t>(row) * vocab + v)) - want.at(i));
      largest = std::max(largest, e);
      sum += e * e;
    }
  }
  ASSERT_EQ(i, want.size());
  EXPECT_LT(largest, 2e-4);
  EXPECT_LT(std::sqrt(sum / static_cast<double>(want.size())), 2e-5);
}

TEST_F(CudaColdExperts, EveryPathToTheSameTokensGivesTheSameBits) {
  const auto model = open();
  ASSERT_TRUE(model);
  std::mt19937 random(3);
  while (ids_.size() < 12) {
    ids_.push_back(static_cast<TokenId>(random() % model->config().vocab_size));
  }
  const auto want = logits(*model, ids_.size());
  ASSERT_FALSE(want.empty()) << problem_;
  EXPECT_TRUE(logits(*model, 9) == want) << "chunks";
  EXPECT_TRUE(logits(*model, 1) == want) << "one by one, recorded and replayed";

  // Behind a rollback and drafts, beside a batch mate that the CPU has more rows of.
  const std::size_t vocab = model->config().vocab_size;
  const std::vector<float> end(want.end() - static_cast<std::ptrdiff_t>(2 * vocab), want.end());
  const std::span<const TokenId> all(ids_);
  KvCache cache(model->pages());
  KvCache mate(model->pages());
  const auto step = [&](std::span<const StepInput> inputs) {
    const auto out = model->step(inputs);
    EXPECT_TRUE(out) << out.error().message;
    return out ? std::vector<float>(out->logits.begin(), out->logits.end()) : std::vector<float>();
  };
  const StepInput start{.cache = &cache, .ids = all.first(11), .logits_from = 11};
  (void)step({&start, 1});
  cache.truncate(10);
  std::vector<TokenId> drafts;
  for (int i = 0; i < 3; ++i) {  // as it is, recorded, replayed
    ASSERT_TRUE(model->propose(cache, ids_[10], 2, drafts));
    const StepInput last{.cache = &cache, .ids = all.last(2), .logits_from = 0};
    EXPECT_TRUE(step({&last, 1}) == end) << "rollback and drafts, " << i;
    cache.truncate(10);
  }
  const StepInput both[] = {{.cache = &mate, .ids = all.first(7), .logits_from = 7},
                            {.cache = &cache, .ids = all.last(2), .logits_from = 0}};
  EXPECT_TRUE(step(both) == end) << "batch mate";
}

TEST_F(CudaColdExperts, CardAndCpuWaitForOneAnother) {
  const auto library = open_device_library();
  ASSERT_TRUE(library);
  const auto set = reinterpret_cast<ambit::testing::SetStreamOrder>(
      dlsym(library->handle, "ambit_set_stream_order"));
  if (set == nullptr) GTEST_SKIP() << "a real card orders its streams itself";
  const auto want = logits(*open(), ids_.size());
  ASSERT_FALSE(want.empty()) << problem_;
  for (const int early : {0, 1}) {
    SCOPED_TRACE(early);
    set(early, 0);
    const auto model = open();
    EXPECT_TRUE(logits(*model, ids_.size()) == want) << problem_;
    EXPECT_TRUE(logits(*model, 1) == want) << problem_;
    const auto second = open();
    set(early, 1);
    EXPECT_FALSE(logits(*second, ids_.size()) == want) << "nobody sees that no stream waits";
    set(0, 0);
  }
}

TEST_F(CudaColdExperts, TheBindingIsLearntKeptAndNamedByTheFingerprint) {
  options_.cpu_experts = false;
  const std::uint64_t by_the_card = run();
  options_.cpu_experts = true;
  std::vector<float> plain;
  const std::uint64_t in_order = run(&plain);
  EXPECT_NE(in_order, by_the_card);
  EXPECT_EQ(run(), in_order) << "with nothing remembered it is the same each time";

  options_.state_directory = state_;
  std::vector<float> first;
  EXPECT_EQ(run(&first), in_order);
  EXPECT_TRUE(first == plain);
  ASSERT_FALSE(kept().empty());
  std::vector<float> second;
  const std::uint64_t learnt = run(&second);
  EXPECT_NE(learnt, in_order) << "what those tokens chose is the card's now";
  EXPECT_FALSE(second == first) << "other bits under another binding";
  EXPECT_EQ(run(), learnt) << "and stays so";
  EXPECT_THAT(open()->device(), ::testing::HasSubstr("computed by the CPU"));

  options_.weights_bytes = 0;
  EXPECT_EQ(run(), by_the_card) << "all fit: nothing is the CPU's";
}

TEST_F(CudaColdExperts, ADamagedOrForeignFileIsAsNone) {
  const std::uint64_t in_order = run();
  options_.state_directory = state_;
  run();
  const std::uint64_t learnt = run();
  ASSERT_NE(learnt, in_order);
  const fs::path file = kept();
  std::string text = *read_file(file);
  const std::string whole = text;
  const auto write = [&] { std::ofstream(file, std::ios::binary | std::ios::trunc) << text; };
  text[text.size() / 2] ^= 1;
  write();
  EXPECT_EQ(run(), in_order);
  text = whole.substr(0, 40);
  write();
  EXPECT_EQ(run(), in_order);
  // Of the same model with other numerics, under this one's name.
  fs::remove(file);
  options_.numerics = Numerics::kPlain;
  run();
  ASSERT_NE(kept(), file);
  fs::rename(kept(), file);
  options_.numerics = Numerics::kRelease;
  EXPECT_EQ(run(), in_order);
  text = whole;
  write();
  EXPECT_EQ(run(), learnt);
}

TEST_F(CudaColdExperts, AllOfThemCanBeTheCpus) {
  options_.numerics = Numerics::kPlain;
  options_.weights_bytes = 0;
  const auto whole = open();
  const auto want = logits(*whole, ids_.size());
  // What is no expert fits, and less than one expert more.
  options_.weights_bytes = 2 * bytes_with_half_of_experts(folder_) - whole->weights_bytes();
  auto none = open_device_model(folder_, options_);
  for (int i = 0; !none && i < 100; ++i) {
    options_.weights_bytes += 16'384;
    none = open_device_model(folder_, options_);
  }
  ASSERT_TRUE(none) << none.error().message;
  const auto got = logits(**none, ids_.size());
  EXPECT_THAT((*none)->device(), ::testing::HasSubstr(", 0 % of what tokens choose on the card"));
  ASSERT_EQ(got.size(), want.size());
  float largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(got[i] - want[i]));
  }
  std::printf("all on the CPU: largest difference %.2e\n", static_cast<double>(largest));
  EXPECT_LT(largest, 2e-4);
  EXPECT_GT(largest, 0);
}

}  // namespace
}  // namespace ambit::inference
