// Answers whose tokens the card chooses are those that the engine chooses from the card's logits:
// sampled, under a grammar, with drafts, and rated; and then no logits come from the card.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "inference/device/device_model.h"
#include "inference/engine/local_backend.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

// A model that counts what comes from its steps, and may be kept from choosing.
class Watched final : public StepModel {
 public:
  struct Counts {
    std::size_t logits = 0, chosen = 0;
  };
  Watched(std::unique_ptr<StepModel> model, bool may_choose, Counts& counts)
      : model_(std::move(model)), may_choose_(may_choose), counts_(counts) {}
  const ModelConfig& config() const override { return model_->config(); }
  const PageMaker& pages() const override { return model_->pages(); }
  bool has_mtp() const override { return model_->has_mtp(); }
  std::size_t draft_length() const override { return model_->draft_length(); }
  std::uint64_t fingerprint() const override { return model_->fingerprint(); }
  std::uint64_t weights_bytes() const override { return model_->weights_bytes(); }
  std::string_view backend() const override { return model_->backend(); }
  std::string device() const override { return model_->device(); }
  bool chooses() const override { return may_choose_ && model_->chooses(); }
  Result<StepOutput> step(std::span<const StepInput> inputs) override {
    auto out = model_->step(inputs);
    if (out) {
      counts_.logits += out->logits.size();
      counts_.chosen += out->chosen.size();
    }
    return out;
  }
  Result<void> propose(KvCache& cache, TokenId next, std::size_t count,
                       std::vector<TokenId>& out) override {
    return model_->propose(cache, next, count, out);
  }

 private:
  std::unique_ptr<StepModel> model_;
  bool may_choose_;
  Counts& counts_;
};

struct Answer {
  std::vector<TokenId> ids;
  std::vector<float> logprobs;
  Finish finish{};
};

std::vector<Answer> answers(const std::filesystem::path& folder, bool may_choose,
                            std::span<const GenerateRequest> requests, Watched::Counts& counts) {
  DeviceOptions device;
  device.numerics = Numerics::kPlain;
  device.state_bytes = std::uint64_t{256} << 20U;
  auto model = open_device_model(folder, device);
  if (!model) {
    ADD_FAILURE() << model.error().message;
    return {};
  }
  LocalOptions options;
  options.tokenizer = Tokenizer::bytes();
  const auto backend =
      make_local_backend(std::make_unique<Watched>(std::move(*model), may_choose, counts), options);
  std::vector<Answer> out(requests.size());
  std::vector<std::promise<void>> done(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    GenerateEvents events;
    events.on_tokens = [&, i](std::span<const GeneratedToken> tokens) {
      for (const GeneratedToken& t : tokens) {
        out[i].ids.push_back(t.id);
        out[i].logprobs.push_back(t.logprob);
      }
    };
    events.on_done = [&, i](const GenerateResult& r) {
      out[i].finish = r.finish;
      EXPECT_TRUE(r.finish != Finish::kError) << r.error.message;
      done[i].set_value();
    };
    backend->submit(requests[i], events, {});
    done[i].get_future().wait();
  }
  return out;
}

TEST(CudaChoice, AnswersAreThoseOfTheEnginesOwnChoice) {
  const auto folder = golden::folder("f32-a");
  if (!folder) GTEST_SKIP() << "golden checkpoint f32-a is not here";
  std::vector<GenerateRequest> requests;
  // Emulated steps are slow: every way to choose is tested in sample_test.cpp.
  for (const std::uint64_t seed : {0U, 2U}) {
    GenerateRequest& r = requests.emplace_back();
    for (TokenId id = 0; id < 3; ++id) r.prompt.push_back(static_cast<TokenId>(seed) + 3 * id);
    r.max_new_tokens = 3;
    r.sampling.seed = seed;
    if (seed != 0) r.sampling = {.temperature = 1.5F, .top_p = 0.9F, .top_k = 40, .seed = seed};
    r.grammar = "root ::= (\"let \" [a-c]+ \";\")+";
    for (const char c : std::string_view("let a;let b;let c;let ")) r.draft.push_back(c);
  }
  GenerateRequest rated = requests[0];
  rated.grammar.clear();
  rated.answer = {5, 250, 9};
  requests.push_back(rated);

  Watched::Counts by_card, by_engine;
  const auto got = answers(*folder, true, requests, by_card);
  const auto want = answers(*folder, false, requests, by_engine);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(got[i].ids, want[i].ids) << i;
    EXPECT_EQ(got[i].logprobs, want[i].logprobs) << i;
    EXPECT_EQ(got[i].finish, want[i].finish) << i;
    EXPECT_FALSE(want[i].ids.empty()) << i;
  }
  EXPECT_EQ(by_card.logits, 0U) << "logits crossed the bus";
  EXPECT_GE(by_card.chosen, 9U);
  EXPECT_GT(by_engine.logits, 0U);
  EXPECT_EQ(by_engine.chosen, 0U);

  // The likeliest tokens of each place come from logits.
  requests.resize(1);
  requests[0].logprobs = 3;
  requests[0].max_new_tokens = 1;
  (void)answers(*folder, true, requests, by_card);
  EXPECT_GT(by_card.logits, 0U);
}

}  // namespace
}  // namespace ambit::inference
