// The engine's graph through libambit_cuda.so (the emulated one, or a real one that
// AMBIT_CUDA_LIBRARY names) against the golden checkpoints, and every path to the same tokens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <future>
#include <optional>
#include <random>
#include <utility>

#include "inference/device/card.h"
#include "inference/device/device_model.h"
#include "inference/engine/local_backend.h"
#include "inference/kv/prefix_tree.h"
#include "tests/cuda_emulation/half_of_experts.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

// Longer cases and every checkpoint: AMBIT_CUDA_ALL=1.
bool all_cases() {
  const char* v = std::getenv("AMBIT_CUDA_ALL");
  return v != nullptr && *v != 0 && *v != '0';
}

struct Setup {
  std::string name;
  Numerics numerics;
  bool cpu_experts = false;  // half of them are the CPU's
};

class CudaModel : public ::testing::TestWithParam<Setup> {
 protected:
  void SetUp() override {
    const auto folder = golden::folder(GetParam().name);
    if (!folder) GTEST_SKIP() << "golden checkpoint " << GetParam().name << " is not here";
    if (GetParam().cpu_experts && !all_cases()) {
      GTEST_SKIP() << "AMBIT_CUDA_ALL is not set; cold_test.cpp has shorter cases";
    }
    DeviceOptions options;
    options.numerics = GetParam().numerics;
    options.state_bytes = std::uint64_t{256} << 20U;
    if (GetParam().cpu_experts) {
      options.cpu_experts = true;
      options.threads = 2;
      options.weights_bytes = bytes_with_half_of_experts(*folder);
    }
    auto model = open_device_model(*folder, options);
    ASSERT_TRUE(model) << model.error().message;
    model_ = std::move(*model);
    if (GetParam().cpu_experts) {
      EXPECT_THAT(model_->device(), ::testing::HasSubstr("experts computed by the CPU on 2"));
    }
    vocab_ = model_->config().vocab_size;
    auto vectors = Safetensors::open(*folder / "vectors.safetensors");
    ASSERT_TRUE(vectors);
    vectors_ = std::move(*vectors);
  }

  std::vector<float> step(KvCache& cache, std::span<const TokenId> ids) {
    const StepInput in{.cache = &cache, .ids = ids, .logits_from = 0, .mtp_logits = true};
    const auto out = model_->step({&in, 1});
    EXPECT_TRUE(out) << out.error().message;
    if (!out) return {};
    for (const float x : out->mtp_logits) mtp_.push_back(x);
    return {out->logits.begin(), out->logits.end()};
  }

  std::vector<TokenId> random_ids(std::size_t n) {
    std::vector<TokenId> ids(n);
    for (TokenId& id : ids) id = static_cast<TokenId>(random_() % vocab_);
    return ids;
  }

  std::unique_ptr<StepModel> model_;
  Safetensors vectors_;
  std::size_t vocab_ = 0;
  std::mt19937 random_{7};
  std::vector<float> mtp_;
};

std::vector<float> rows_of(const std::vector<float>& all, const std::vector<std::int32_t>& rows,
                           std::size_t vocab) {
  std::vector<float> out;
  for (const std::int32_t r : rows) {
    const auto* at = all.data() + static_cast<std::size_t>(r) * vocab;
    out.insert(out.end(), at, at + vocab);
  }
  return out;
}

double rms(const std::vector<float>& got, const std::vector<float>& want, double& largest) {
  double sum = 0;
  largest = got.size() == want.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    const double e = std::fabs(static_cast<double>(got[i]) - want[i]);
    largest = std::isnan(e) ? INFINITY : std::max(largest, e);
    sum += e * e;
  }
  return std::sqrt(sum / static_cast<double>(want.size()));
}

TEST_P(CudaModel, GoldenLogitsAgree) {
  if (GetParam().numerics != Numerics::kPlain) GTEST_SKIP() << "plain numerics only";
  if (!all_cases() && GetParam().name == "bf16-b") GTEST_SKIP() << "AMBIT_CUDA_ALL is not set";
  std::vector<std::string> cases = {"S5", "S129"};
  if (all_cases()) cases = {"S1", "S5", "S127", "S128", "S129", "S300", "S1100"};
  const double limit = GetParam().name == "f32-a" ? 1e-3 : 2e-4;
  for (const std::string& name : cases) {
    SCOPED_TRACE(name);
    const auto ids = golden::ints(vectors_, name + "/ids");
    KvCache cache(model_->pages());
    mtp_.clear();
    const auto got = step(cache, ids);
    double largest = 0;
    const double error = rms(rows_of(got, golden::ints(vectors_, name + "/logit_pos"), vocab_),
                             golden::floats(vectors_, name + "/logits"), largest);
    std::printf("%s %s: largest difference %.2e, rms %.2e\n", GetParam().name.c_str(), name.c_str(),
                largest, error);
    EXPECT_LT(largest, limit);
    EXPECT_LT(error, limit / 10);
    if (vectors_.find(name + "/mtp_logits") == nullptr) continue;
    auto rows = golden::ints(vectors_, name + "/mtp_pos");
    for (std::int32_t& r : rows) ++r;
    const double second =
        rms(rows_of(mtp_, rows, vocab_), golden::floats(vectors_, name + "/mtp_logits"), largest);
    EXPECT_LT(largest, limit) << "MTP";
    EXPECT_LT(second, limit / 10) << "MTP";
  }
}

// The statistical limits that the golden README states for runs with rounded activations.
TEST_P(CudaModel, RoundedLogitsAreNoFartherThanTheRelease) {
  if (GetParam().numerics == Numerics::kPlain) GTEST_SKIP() << "rounded numerics only";
  const std::string name = all_cases() ? "S300" : "S129";
  KvCache cache(model_->pages());
  const auto got = rows_of(step(cache, golden::ints(vectors_, name + "/ids")),
                           golden::ints(vectors_, name + "/logit_pos"), vocab_);
  double largest = 0;
  const double error = rms(got, golden::floats(vectors_, name + "/logits"), largest);
  std::printf("%s: rms %.3f\n", name.c_str(), error);
  EXPECT_LT(error, 0.45);
  EXPECT_GT(error, 0.02) << "nothing was rounded";
  if (vectors_.find(name + "/logits_sim") == nullptr) return;
  EXPECT_LT(rms(got, golden::floats(vectors_, name + "/logits_sim"), largest), 0.9 * error)
      << "no closer to the simulated release than plain arithmetic";
}

TEST_P(CudaModel, EveryPathToTheSameTokensGivesTheSameBits) {
  if (!all_cases() && GetParam().numerics == Numerics::kPlain) {
    GTEST_SKIP() << "AMBIT_CUDA_ALL is not set";
  }
  const auto ids = random_ids(136);
  const std::span<const TokenId> all(ids);
  KvCache first(model_->pages());
  const auto want = step(first, all);
  const auto want_mtp = std::exchange(mtp_, {});
  const auto expect_rows = [&](const std::vector<float>& got, std::size_t from, const char* what) {
    ASSERT_LE(from * vocab_ + got.size(), want.size());
    EXPECT_EQ(std::memcmp(got.data(), want.data() + from * vocab_, got.size() * 4), 0) << what;
  };

  KvCache cache(model_->pages());
  std::optional<KvCache> fork;
  std::vector<float> got;
  std::size_t at = 0;
  for (const std::size_t n : {1U, 3U, 30U, 93U, 2U, 4U, 3U}) {
    const auto rows = step(cache, all.subspan(at, n));
    got.insert(got.end(), rows.begin(), rows.end());
    at += n;
    if (at == 127) fork = cache;
  }
  ASSERT_EQ(at, ids.size());
  expect_rows(got, 0, "chunks");
  EXPECT_TRUE(mtp_ == want_mtp) << "chunks, MTP";

  step(cache, random_ids(9));
  cache.truncate(132);
  std::vector<TokenId> drafts;
  ASSERT_TRUE(model_->propose(cache, ids[132], 2, drafts));
  expect_rows(step(cache, all.subspan(132)), 132, "rollback");

  KvCache other(model_->pages());
  const auto others = random_ids(3);
  const StepInput inputs[] = {{.cache = &other, .ids = others, .logits_from = 3},
                              {.cache = &*fork, .ids = all.subspan(127, 5), .logits_from = 0}};
  const auto together = model_->step(inputs);
  ASSERT_TRUE(together);
  expect_rows({together->logits.begin(), together->logits.end()}, 127, "fork and batch mate");

  PrefixTree tree(model_->pages(), std::uint64_t{1} << 40U);
  tree.insert(cache);
  KvCache warm = tree.find(all.first(134), 133);
  EXPECT_EQ(warm.length(), 133);
  expect_rows(step(warm, all.subspan(133)), 133, "prefix tree");

  // Through the host's memory and back, as the disk store does it.
  KvCache restored(model_->pages());
  restored.adopt(model_->pages().from_host(*model_->pages().to_host(*cache.pages()[0])), 128);
  expect_rows(step(restored, all.subspan(128)), 128, "restore");
}

TEST_P(CudaModel, AnswersOfTheEngineDoNotDependOnDrafts) {
  if (GetParam().numerics == Numerics::kPlain) GTEST_SKIP() << "rounded numerics only";
  const auto prompt = random_ids(12);
  std::vector<TokenId> answers[2];
  for (const bool speculate : {false, true}) {
    if (model_ == nullptr) SetUp();
    LocalOptions options;
    options.speculate = speculate;
    const auto backend = make_local_backend(std::move(model_), options);
    EXPECT_EQ(backend->describe().backend, "cuda");
    std::promise<GenerateResult> done;
    GenerateEvents events;
    auto& answer = answers[speculate ? 1 : 0];
    events.on_tokens = [&](std::span<const GeneratedToken> tokens) {
      for (const GeneratedToken& t : tokens) answer.push_back(t.id);
    };
    events.on_done = [&](const GenerateResult& r) { done.set_value(r); };
    GenerateRequest request;
    request.prompt = prompt;
    request.max_new_tokens = 8;
    backend->submit(request, events, {});
    EXPECT_EQ(done.get_future().get().finish, Finish::kLength);
  }
  EXPECT_EQ(answers[0].size(), 8U);
  EXPECT_EQ(answers[0], answers[1]);
}

TEST_P(CudaModel, StateThatDoesNotFitIsAnErrorWithAWayOut) {
  if (GetParam().name != "f32-a" || GetParam().cpu_experts) {
    GTEST_SKIP() << "one checkpoint is enough";
  }
  DeviceOptions options;
  options.state_bytes = 1000;
  auto model = open_device_model(*golden::folder("f32-a"), options);
  ASSERT_TRUE(model) << model.error().message;
  {
    KvCache cache((*model)->pages());
    const TokenId id = 1;
    const StepInput in{.cache = &cache, .ids = {&id, 1}};
    const auto out = (*model)->step({&in, 1});
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Code::kResourceExhausted);
  }

  // Experts in pinned host memory compute the same bits.
  const auto ids = golden::ints(vectors_, "S5/ids");
  KvCache on_card(model_->pages());
  const auto want = step(on_card, ids);
  options = {};
  options.numerics = GetParam().numerics;
  options.weights_bytes = 3'600'000;
  model = open_device_model(*golden::folder("f32-a"), options);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT((*model)->device(), ::testing::HasSubstr("experts in host memory"));
  {
    KvCache on_host((*model)->pages());
    const StepInput in{.cache = &on_host, .ids = ids, .logits_from = 0};
    const auto got = (*model)->step({&in, 1});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_TRUE(std::equal(want.begin(), want.end(), got->logits.begin(), got->logits.end()));
  }

  // And so do experts that change places while tokens come: the same few words again and again.
  std::vector<TokenId> again;
  while (again.size() < 80) again.insert(again.end(), ids.begin(), ids.end());
  KvCache all(model_->pages());
  auto moving = std::make_unique<KvCache>((*model)->pages());
  for (std::size_t from = 0; from < again.size(); from += 16) {
    const std::span<const TokenId> piece(again.data() + from, 16);
    const auto expected = step(all, piece);
    const StepInput in{.cache = moving.get(), .ids = piece, .logits_from = 0};
    const auto got = (*model)->step({&in, 1});
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_TRUE(
        std::equal(expected.begin(), expected.end(), got->logits.begin(), got->logits.end()))
        << from;
  }
  const std::string text = (*model)->device();
  EXPECT_THAT(text, ::testing::ContainsRegex("[0-9]+ % of what tokens choose on the card"));
  std::printf("%s\n", text.c_str());

  moving.reset();

  // With room for two blocks more, a step of many rows has them copied while it computes.
  const auto many = golden::ints(vectors_, "S129/ids");
  KvCache plain(model_->pages());
  const auto whole = step(plain, many);
  options.weights_bytes = 4'100'000;
  model = open_device_model(*golden::folder("f32-a"), options);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT((*model)->device(), ::testing::HasSubstr("experts in host memory"));
  {
    KvCache staged((*model)->pages());
    const StepInput in{.cache = &staged, .ids = many, .logits_from = 0};
    const auto got = (*model)->step({&in, 1});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_TRUE(std::equal(whole.begin(), whole.end(), got->logits.begin(), got->logits.end()));
    const TokenId next = many[7];
    const auto after = step(plain, std::span(&next, 1));
    const StepInput one{.cache = &staged, .ids = {&next, 1}, .logits_from = 0};
    const auto more = (*model)->step({&one, 1});
    ASSERT_TRUE(more) << more.error().message;
    EXPECT_TRUE(std::equal(after.begin(), after.end(), more->logits.begin(), more->logits.end()));
  }

  options.weights_bytes = 100'000;
  const auto none = open_device_model(*golden::folder("f32-a"), options);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, ::testing::HasSubstr("do not fit the graphics card"));
}

TEST(CudaLibrary, WithoutACardOrALibraryTheReasonIsOneLine) {
  const char* library = std::getenv("AMBIT_CUDA_LIBRARY");
  const std::string before = library == nullptr ? "" : library;
  auto opened = open_device_library();
  if (!opened || std::string_view(opened->cards[0].name) == "emulated device") {
    setenv("AMBIT_EMULATE_NO_DEVICE", "1", 1);
    opened = open_device_library();
    unsetenv("AMBIT_EMULATE_NO_DEVICE");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::kUnavailable);
    EXPECT_THAT(opened.error().message, ::testing::HasSubstr("no CUDA device can be used"));
  } else {
    std::printf("there is a card: what is said without one is not tested here\n");
  }
  setenv("AMBIT_CUDA_LIBRARY", "/nowhere/libambit_cuda.so", 1);
  opened = open_device_library();
  setenv("AMBIT_CUDA_LIBRARY", before.c_str(), 1);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, ::testing::HasSubstr("cmake --preset cuda"));
  EXPECT_EQ(opened.error().message.find('\n'), std::string::npos);
}

TEST(CudaCard, IsMeasuredWithTheEnginesKernels) {
  const auto cards = measure_cards();
  ASSERT_TRUE(cards) << cards.error().message;
  const Card* card = &cards->front();
  EXPECT_FALSE(card->name.empty());
  EXPECT_GT(card->memory_bytes, std::uint64_t{1} << 28U);
  EXPECT_GT(card->read_gbs, 0.0);
  EXPECT_GT(card->host_gbs, 0.0);
  EXPECT_GT(card->multiply_gops, 0.0);
}

INSTANTIATE_TEST_SUITE_P(
    Checkpoints, CudaModel,
    ::testing::Values(Setup{"f32-a", Numerics::kPlain}, Setup{"bf16-b", Numerics::kPlain},
                      Setup{"q-c", Numerics::kPlain}, Setup{"q-c", Numerics::kRelease},
                      Setup{"f32-a", Numerics::kPlain, true}, Setup{"q-c", Numerics::kPlain, true},
                      Setup{"q-c", Numerics::kRelease, true}),
    [](const auto& param) {
      std::string s =
          param.param.name + (param.param.numerics == Numerics::kPlain ? "plain" : "release");
      if (param.param.cpu_experts) s += "_half_on_the_cpu";
      s.erase(std::remove(s.begin(), s.end(), '-'), s.end());
      return s;
    });

}  // namespace
}  // namespace ambit::inference
