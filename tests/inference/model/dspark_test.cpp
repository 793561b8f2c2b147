// The DSpark drafter: its logits against a reference in plain Python that was written from the
// design notes alone, its state through every path, its errors. The checkpoint is random and made
// here.
#include "inference/model/dspark.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "inference/engine/local_backend.h"
#include "inference/engine/sampler.h"
#include "inference/model/model.h"
#include "inference/weights/checkpoint.h"
#include "inference/weights/convert.h"
#include "inference/weights/gguf.h"

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;

class Dspark : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string_view(AMBIT_PYTHON).empty()) {
      GTEST_SKIP() << "no Python 3 to make the checkpoint with";
    }
    folder_ = fs::temp_directory_path() / ("ambit-dspark-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    make("f32");
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  static int run(const std::string& script, const std::string& arguments) {
    const std::string command = std::string("\"" AMBIT_PYTHON "\" \"" AMBIT_SOURCE_DIR "/tests/") +
                                script + "\" " + arguments;
    return std::system(command.c_str());
  }
  void make(const std::string& dtype) {
    ASSERT_EQ(run("bench/engine/random_checkpoint.py",
                  "micro " + dtype + " \"" + folder_.string() + "\" dspark"),
              0);
  }
  void open(ModelOptions options) {
    options.least_confidence = 0;
    auto model = Model::open(folder_, options);
    ASSERT_TRUE(model) << model.error().message;
    model_ = std::move(*model);
    vocab_ = model_->config().vocab_size;
    layers_ = model_->config().num_hidden_layers;
    size_ = model_->config().dspark_block_size;
    ASSERT_EQ(model_->draft_length(), 5U);
  }

  std::vector<TokenId> random_ids(std::size_t n) {
    std::vector<TokenId> ids(n);
    for (TokenId& id : ids) id = static_cast<TokenId>(random_() % vocab_);
    return ids;
  }
  std::vector<float> step(KvCache& cache, std::span<const TokenId> ids) {
    const StepInput in{.cache = &cache, .ids = ids, .logits_from = 0};
    const StepOutput out = model_->forward({&in, 1});
    return {out.logits.begin(), out.logits.end()};
  }
  // A draft's tokens, and what it thought: for each slot its logits and the confidence in it.
  struct Draft {
    std::vector<TokenId> tokens;
    std::vector<float> values;
    bool operator==(const Draft&) const = default;
  };
  Draft draft(KvCache& cache, TokenId next) {
    Draft out;
    out.values.resize(size_ * (vocab_ + 1));
    model_->set_trace([&](std::string_view name, std::size_t slot, const float* data, std::size_t,
                          std::size_t columns) {
      float* row = out.values.data() + slot * (vocab_ + 1);
      if (name == "draft_logits") std::copy_n(data, columns, row);
      if (name == "draft_confidence") row[vocab_] = *data;
    });
    model_->draft(cache, next, size_, out.tokens);
    model_->set_trace({});
    return out;
  }

  // The largest difference between the engine's draft behind `ids` and the reference's.
  float difference(const std::vector<TokenId>& ids, TokenId next, const std::string& mistake = "") {
    const std::size_t wide = model_->config().hc_mult * model_->config().hidden_size;
    std::vector<float> blocks(layers_ * ids.size() * wide);
    model_->set_trace([&](std::string_view name, std::size_t layer, const float* data,
                          std::size_t rows, std::size_t columns) {
      if (name != "block") return;
      std::copy_n(data, rows * columns, blocks.data() + layer * ids.size() * wide);
    });
    KvCache cache(model_->pages());
    step(cache, ids);
    const Draft got = draft(cache, next);
    EXPECT_EQ(cache.length(), static_cast<std::int64_t>(ids.size()));
    const fs::path in = folder_ / "blocks.f32", out = folder_ / "draft.f32";
    std::ofstream(in, std::ios::binary)
        .write(reinterpret_cast<const char*>(blocks.data()),
               static_cast<std::streamsize>(blocks.size() * sizeof(float)));
    EXPECT_EQ(
        run("inference/model/dspark_reference.py",
            "\"" + folder_.string() + "\" \"" + in.string() + "\" " + std::to_string(ids.size()) +
                " " + std::to_string(next) + " \"" + out.string() + "\" " + mistake),
        0);
    std::vector<float> want(got.values.size());
    std::ifstream file(out, std::ios::binary);
    file.read(reinterpret_cast<char*>(want.data()),
              static_cast<std::streamsize>(want.size() * sizeof(float)));
    EXPECT_EQ(static_cast<std::size_t>(file.gcount()), want.size() * sizeof(float));
    float most = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      most = std::max(most, std::abs(want[i] - got.values[i]));
    }
    return most;
  }
  // Changes config.json; what opening the checkpoint then says.
  template <class F>
  std::string error_after(F change) {
    const fs::path path = folder_ / "config.json";
    auto config = nlohmann::json::parse(std::ifstream(path));
    const auto before = config;
    change(config);
    std::ofstream(path) << config;
    const auto model = Model::open(folder_, {});
    std::ofstream(path) << before;
    return model ? "" : model.error().message;
  }

  fs::path folder_;
  std::unique_ptr<Model> model_;
  std::size_t vocab_ = 0, layers_ = 0, size_ = 0;
  std::mt19937 random_{3};
};

constexpr float kTolerance = 2e-5F;

// Before, at and beyond the end of the window (24), in all formats.
TEST_F(Dspark, DraftsAreThoseOfTheReference) {
  for (const char* dtype : {"f32", "bf16", "native"}) {
    make(dtype);
    for (const bool plain_loops : {false, true}) {
      open({.numerics = Numerics::kPlain, .reference_ops = plain_loops, .threads = 2});
      for (const std::size_t n : {1U, 23U, 24U, 40U}) {
        SCOPED_TRACE(dtype + (" " + std::to_string(n)));
        if (n != 40 && plain_loops) continue;
        EXPECT_LT(difference(random_ids(n), static_cast<TokenId>(random_() % vocab_)), kTolerance);
      }
    }
  }
}

TEST_F(Dspark, TheComparisonNoticesMistakes) {
  open({.numerics = Numerics::kPlain, .threads = 1});
  const auto ids = random_ids(40);
  for (const char* mistake : {"seed", "noise", "taps", "causal", "window", "markov"}) {
    EXPECT_GT(difference(ids, 5, mistake), 50 * kTolerance) << mistake;
  }
}

TEST_F(Dspark, DraftsAreTheSameBitsWhateverWasComputedHow) {
  for (const Numerics numerics : {Numerics::kPlain, Numerics::kFast, Numerics::kRelease}) {
    open({.numerics = numerics, .threads = 2});
    const auto ids = random_ids(150);
    KvCache whole(model_->pages());
    step(whole, ids);
    const Draft want = draft(whole, 7);
    EXPECT_TRUE(draft(whole, 7) == want) << "a draft leaves a trace";
    for (const std::size_t chunk : {1U, 3U, 5U, 127U, 129U}) {
      SCOPED_TRACE(chunk);
      KvCache cache(model_->pages());
      for (std::size_t at = 0; at < ids.size(); at += chunk) {
        step(cache, std::span(ids).subspan(at, std::min<std::size_t>(chunk, ids.size() - at)));
      }
      EXPECT_TRUE(draft(cache, 7) == want);
      // Wrong tokens and drafts on the way, in a copy and here.
      cache.truncate(140);
      KvCache fork = cache;
      step(fork, random_ids(7));
      step(cache, random_ids(3));
      cache.truncate(140);
      draft(cache, 1);
      step(cache, std::span(ids).subspan(140));
      EXPECT_TRUE(draft(cache, 7) == want);
    }
  }
}

// Draft, verify, roll back: the tokens and their logits are those of decoding one by one.
TEST_F(Dspark, SpeculationIsLossless) {
  std::size_t drafted = 0, accepted = 0;
  for (const Numerics numerics : {Numerics::kPlain, Numerics::kFast}) {
    open({.numerics = numerics, .threads = 2});
    for (unsigned seed = 0; seed < 4; ++seed) {
      random_.seed(seed);
      const Sampling sampling{.temperature = seed % 2 == 0 ? 0.0F : 0.7F, .seed = seed};
      const auto prompt = random_ids(120);
      constexpr std::size_t kTokens = 120;
      Sampler sampler;
      const auto choose = [&](std::span<const float> logits, std::size_t index) {
        return sampler.sample(logits, sampling, index);
      };
      std::vector<TokenId> want;
      std::vector<float> want_logits;
      {
        KvCache cache(model_->pages());
        auto rows = step(cache, prompt);
        std::vector<float> row(rows.end() - static_cast<std::ptrdiff_t>(vocab_), rows.end());
        while (want.size() < kTokens) {
          want_logits.insert(want_logits.end(), row.begin(), row.end());
          want.push_back(choose(row, want.size()));
          row = step(cache, {&want.back(), 1});
        }
      }
      KvCache cache(model_->pages());
      auto rows = step(cache, prompt);
      std::vector<float> got_logits(rows.end() - static_cast<std::ptrdiff_t>(vocab_), rows.end());
      std::vector<TokenId> got{choose(got_logits, 0)};
      while (got.size() < kTokens) {
        std::vector<TokenId> ids{got.back()};
        model_->draft(cache, got.back(), size_, ids);
        drafted += ids.size() - 1;
        const std::int64_t before = cache.length();
        rows = step(cache, ids);
        std::size_t r = 0;
        for (;; ++r) {
          const auto row = std::span(rows).subspan(r * vocab_, vocab_);
          got_logits.insert(got_logits.end(), row.begin(), row.end());
          got.push_back(choose(row, got.size()));
          if (r + 1 == ids.size() || ids[r + 1] != got.back()) break;
          ++accepted;
        }
        cache.truncate(before + static_cast<std::int64_t>(r) + 1);
      }
      got.resize(kTokens);
      got_logits.resize(kTokens * vocab_);
      EXPECT_EQ(got, want);
      EXPECT_TRUE(got_logits == want_logits) << "logits differ";
    }
  }
  RecordProperty("drafted", static_cast<int>(drafted));
  RecordProperty("accepted", static_cast<int>(accepted));
  EXPECT_GT(accepted, 20U);
  EXPECT_GT(drafted, accepted);
}

TEST_F(Dspark, TheBackendAnswersTheSameWithAndWithoutDrafts) {
  LocalOptions options;
  options.model.threads = 2;
  options.model.least_confidence = 0;
  const auto ask = [&](bool speculate, const GenerateRequest& request) {
    options.speculate = speculate;
    auto model = Model::open(folder_, options.model);
    EXPECT_TRUE(model);
    const auto backend = make_local_backend(std::move(*model), options);
    std::promise<GenerateResult> done;
    std::vector<std::pair<TokenId, float>> answer;
    GenerateEvents events;
    events.on_tokens = [&](std::span<const GeneratedToken> tokens) {
      for (const GeneratedToken& t : tokens) answer.emplace_back(t.id, t.logprob);
    };
    events.on_done = [&](const GenerateResult& r) { done.set_value(r); };
    backend->submit(request, std::move(events), {});
    const Usage usage = done.get_future().get().usage;
    EXPECT_EQ(usage.drafted_tokens > 0, speculate);
    return answer;
  };
  for (const float temperature : {0.0F, 0.9F}) {
    vocab_ = 24;
    GenerateRequest request{.prompt = random_ids(200), .max_new_tokens = 80};
    request.sampling = {.temperature = temperature, .top_p = 0.95F, .seed = 11};
    EXPECT_EQ(ask(true, request), ask(false, request));
  }
}

// llama.cpp's naming: the drafter in a file of its own beside the model's.
TEST_F(Dspark, AGgufFileBesideTheModelsGivesTheSameDrafts) {
  for (const char* dtype : {"f32", "native"}) {
    make(dtype);
    const fs::path checkpoint = folder_;
    vocab_ = 24;
    const std::vector<TokenId> ids = random_ids(200);
    const auto drafted = [&](const fs::path& path) {
      folder_ = path;
      open({});
      folder_ = checkpoint;
      KvCache cache(model_->pages());
      step(cache, ids);
      return draft(cache, 3);
    };
    const Draft want = drafted(checkpoint);
    const fs::path dir = checkpoint / "gguf";
    fs::create_directories(dir);
    const fs::path model = dir / "V4-F32.gguf";
    const auto done = convert_checkpoint(checkpoint, model, Container::kGguf);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->left_out, "");
    EXPECT_EQ(done->bytes, fs::file_size(model) + fs::file_size(dir / "V4-F32-dspark.gguf"));
    EXPECT_TRUE(drafted(model) == want) << dtype;
    const auto file = Gguf::open(dir / "V4-F32-dspark.gguf").value();
    EXPECT_EQ(*file.get<std::string>("general.architecture"), "dflash");
    EXPECT_EQ(
        *file.get<std::vector<std::int64_t>>("dflash.target_layers"),
        (std::vector<std::int64_t>{2, 3, 4}));  // of layers 1, 2 and 3, as what they are given
    EXPECT_EQ(*file.get<std::int64_t>("tokenizer.ggml.mask_token_id"), 22);
    for (const char* name : {"fc.weight", "enc.output_norm.weight", "output_hc_fn.weight",
                             "markov_w2.weight", "conf_proj.weight", "blk.0.attn_sinks.weight",
                             "blk.2.ffn_gate_exps.weight", "blk.2.exp_probs_b.bias"}) {
      EXPECT_TRUE(file.tensors().contains(name)) << name;
    }
    EXPECT_NE(checkpoint_config(model)->find("dspark_block_size"), std::string::npos);
    // As people name what they download, and by the folder.
    fs::rename(dir / "V4-F32-dspark.gguf", dir / "V4-DSpark-BF16.gguf");
    EXPECT_TRUE(drafted(dir) == want) << dtype;
    const auto back = convert_checkpoint(model, checkpoint / "back", Container::kSafetensors);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(drafted(checkpoint / "back") == want) << dtype;
    // A drafter of another model is not this one's, and what is none is said.
    fs::rename(dir / "V4-DSpark-BF16.gguf", dir / "V5-DSpark-BF16.gguf");
    EXPECT_EQ(Model::open(model, {}).value()->draft_length(), 0U);
    fs::copy_file(model, dir / "V4-dspark.gguf");
    const auto none = Model::open(model, {});
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message.find("V4-dspark.gguf: this is no DSpark drafter"),
              std::string::npos)
        << none.error().message;
    fs::remove_all(dir);
    fs::remove_all(checkpoint / "back");
  }
}

TEST_F(Dspark, WhatDoesNotFitIsOneClearLine) {
  using Json = nlohmann::json;
  EXPECT_NE(error_after([](Json& c) { c.erase("dspark_block_size"); }).find("dspark_block_size"),
            std::string::npos);
  EXPECT_NE(error_after([](Json& c) {
              c["dspark_markov_rank"] = 9;
            }).find("tensor mtp.2.markov_head.markov_w1.weight has shape [24, 8]"),
            std::string::npos);
  EXPECT_NE(error_after([](Json& c) { c["compress_ratios"].push_back(0); }).find("tensor mtp.3."),
            std::string::npos);
  EXPECT_NE(error_after([](Json& c) {
              c["dspark_target_layer_ids"] = {1, 2};
            }).find("tensor mtp.0.main_proj.weight has shape [64, 192]"),
            std::string::npos);
  EXPECT_NE(error_after([](Json& c) {
              c["dspark_target_layer_ids"] = {1, 2, 4};
            }).find("dspark_target_layer_ids names a layer that does not exist"),
            std::string::npos);
  EXPECT_NE(error_after([](Json& c) { c["dspark_target_layer_ids"] = 3; }).find("no list"),
            std::string::npos);
  EXPECT_NE(error_after([](Json& c) { c["dspark_noise_token_id"] = 24; }).find("noise_token_id is"),
            std::string::npos);
  EXPECT_NE(error_after([](Json& c) { c["dspark_block_size"] = 65; }).find("outside 0 to 64"),
            std::string::npos);
}

}  // namespace
}  // namespace ambit::inference
