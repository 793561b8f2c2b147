// The DSpark drafter on the device: it drafts what the CPU's drafts, leaves no trace, and changes
// no answer. The checkpoint is random and made here.
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <random>

#include "gtest/gtest.h"
#include "inference/device/device_model.h"
#include "inference/engine/local_backend.h"

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;

class CudaDspark : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("ambit-cuda-dspark-" + std::to_string(::getpid()));
    const std::string command = std::string("\"" AMBIT_PYTHON "\" \"" AMBIT_SOURCE_DIR
                                            "/tests/bench/engine/random_checkpoint.py\" small ") +
                                GetParam() + " \"" + folder_.string() + "\" dspark";
    ASSERT_EQ(std::system(command.c_str()), 0);
    auto device = open_device_model(folder_, {.numerics = Numerics::kPlain, .least_confidence = 0});
    if (!device && device.error().code == Code::kUnavailable) {
      GTEST_SKIP() << device.error().message;
    }
    ASSERT_TRUE(device) << device.error().message;
    device_ = std::move(*device);
    ModelOptions options{.numerics = Numerics::kPlain};
    options.least_confidence = 0;
    auto cpu = Model::open(folder_, options);
    ASSERT_TRUE(cpu) << cpu.error().message;
    cpu_ = std::move(*cpu);
    ASSERT_EQ(device_->draft_length(), 5U);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<TokenId> random_ids(std::size_t n) {
    std::vector<TokenId> ids(n);
    for (TokenId& id : ids) id = static_cast<TokenId>(random_() % device_->config().vocab_size);
    return ids;
  }
  static std::vector<float> step(StepModel& model, KvCache& cache, std::span<const TokenId> ids) {
    const StepInput in{.cache = &cache, .ids = ids, .logits_from = ids.size() - 1};
    const auto out = model.step({&in, 1});
    if (!out) {
      ADD_FAILURE() << out.error().message;
      return {};
    }
    return {out->logits.begin(), out->logits.end()};
  }
  static std::vector<TokenId> draft(StepModel& model, KvCache& cache, TokenId next) {
    std::vector<TokenId> out;
    const auto done = model.propose(cache, next, 5, out);
    EXPECT_TRUE(done) << done.error().message;
    return out;
  }

  fs::path folder_;
  std::unique_ptr<StepModel> device_;
  std::unique_ptr<Model> cpu_;
  std::mt19937 random_{5};
};

TEST_P(CudaDspark, DraftsWhatTheCpuDraftsAndLeavesNoTrace) {
  // The window of 32 rows is not full, full, and behind its end.
  const std::vector<TokenId> ids = random_ids(44);
  KvCache cpu(cpu_->pages());
  KvCache device(device_->pages());
  std::size_t same = 0;
  std::size_t at = 0;
  for (const std::size_t until : {1U, 7U, 29U, 35U, 44U}) {
    const auto piece = std::span(ids).subspan(at, until - at);
    at = until;
    const auto logits = step(*cpu_, cpu, piece);
    const auto on_device = step(*device_, device, piece);
    float most = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      most = std::max(most, std::abs(logits[i] - on_device[i]));
    }
    EXPECT_LT(most, 1e-3);
    const TokenId next = ids[until % 11];
    const auto want = draft(*cpu_, cpu, next);
    const auto got = draft(*device_, device, next);
    ASSERT_EQ(got.size(), 5U);
    EXPECT_EQ(got, want) << "behind " << until;
    same += got == want ? 1 : 0;
    EXPECT_EQ(device.length(), static_cast<std::int64_t>(until));
  }
  EXPECT_EQ(same, 5U);
  // In one piece, without a draft before: the same bits.
  KvCache whole(device_->pages());
  step(*device_, whole, ids);
  EXPECT_EQ(draft(*device_, whole, 3), draft(*device_, device, 3));
  const TokenId last = 9;
  EXPECT_EQ(step(*device_, whole, {&last, 1}), step(*device_, device, {&last, 1}));
}

TEST_P(CudaDspark, AnswersDoNotDependOnDrafts) {
  std::vector<TokenId> answers[2];
  const auto prompt = random_ids(20);
  for (const bool speculate : {false, true}) {
    if (device_ == nullptr) {
      auto again =
          open_device_model(folder_, {.numerics = Numerics::kPlain, .least_confidence = 0});
      ASSERT_TRUE(again) << again.error().message;
      device_ = std::move(*again);
    }
    LocalOptions options;
    options.speculate = speculate;
    const auto backend = make_local_backend(std::move(device_), options);
    std::promise<GenerateResult> done;
    GenerateEvents events;
    auto& answer = answers[speculate ? 1 : 0];
    events.on_tokens = [&](std::span<const GeneratedToken> tokens) {
      for (const GeneratedToken& t : tokens) answer.push_back(t.id);
    };
    events.on_done = [&](const GenerateResult& r) { done.set_value(r); };
    GenerateRequest request;
    request.prompt = prompt;
    request.max_new_tokens = 12;
    backend->submit(request, events, {});
    done.get_future().wait();
  }
  EXPECT_FALSE(answers[0].empty());
  EXPECT_EQ(answers[0], answers[1]);
}

INSTANTIATE_TEST_SUITE_P(Formats, CudaDspark, testing::Values("f32", "native"));

}  // namespace
}  // namespace ambit::inference
