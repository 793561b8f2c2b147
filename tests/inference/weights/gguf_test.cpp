// GGUF files: block formats against values made by ggml's own Python library, a file made by
// llama.cpp's converter against the released-format checkpoint that it was made of, and files that
// are not what they claim.
#include "inference/weights/gguf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

#include "inference/model/model.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/weights/binding.h"
#include "inference/weights/checkpoint.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

using ops::BlockFormat;

std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(AMBIT_SOURCE_DIR) / "tests/golden/gguf" / name;
}
std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream s;
  s << in.rdbuf();
  return s.str();
}

class Gguf_ : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() /
            ("ambit-gguf-" + std::to_string(::getpid()) + ".gguf");
  }
  void TearDown() override { std::filesystem::remove(path_); }
  // The message of opening such a file to the end of what a model needs; empty when it opens.
  std::string problem(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    const auto r = open_checkpoint(path_);
    if (!r) return r.error().message;
    const auto w = bind_weights(*r);
    return w ? std::string() : w.error().message;
  }
  std::filesystem::path path_;
};

class Blocks : public testing::TestWithParam<BlockFormat> {};

TEST_P(Blocks, UnpackToTheValuesThatGgmlStates) {
  const auto vectors = Safetensors::open(fixture("blocks.safetensors"));
  ASSERT_TRUE(vectors) << vectors.error().message;
  const std::string name(to_string(GetParam()));
  const Tensor* blocks = vectors->find(name + ".blocks");
  ASSERT_NE(blocks, nullptr);
  const auto want = golden::floats(*vectors, name + ".values");
  const auto shape = ops::block_shape(GetParam());
  ASSERT_EQ(static_cast<std::size_t>(blocks->shape[1]), shape.bytes);
  ASSERT_EQ(want.size(), static_cast<std::size_t>(blocks->shape[0]) * shape.values);
  std::vector<float> got(want.size());
  ops::unpack_blocks(GetParam(), reinterpret_cast<const std::uint8_t*>(blocks->data.data()),
                     got.size(), got.data());
  for (std::size_t i = 0; i < got.size(); ++i) {
    // Products of three factors may be rounded in another order.
    ASSERT_NEAR(got[i], want[i], 1e-6F * std::fabs(want[i]) + 1e-12F) << name << " value " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Blocks,
                         testing::Values(BlockFormat::kQ4_0, BlockFormat::kQ4_1, BlockFormat::kQ5_0,
                                         BlockFormat::kQ5_1, BlockFormat::kQ8_0,
                                         BlockFormat::kIq4Nl, BlockFormat::kMxfp4,
                                         BlockFormat::kQ2K, BlockFormat::kQ3K, BlockFormat::kQ4K,
                                         BlockFormat::kQ5K, BlockFormat::kQ6K, BlockFormat::kIq2Xxs,
                                         BlockFormat::kIq4Xs),
                         [](const auto& format) { return std::string(to_string(format.param)); });

// The largest difference of two matrices, in parts of the row's largest value.
float difference(const ops::Matrix& a, const ops::Matrix& b) {
  if (a.rows != b.rows || a.cols != b.cols) return INFINITY;
  std::vector<float> x(a.cols);
  std::vector<float> y(a.cols);
  float worst = 0;
  for (std::size_t r = 0; r < a.rows; ++r) {
    ops::unpack_row(a, r, x.data());
    ops::unpack_row(b, r, y.data());
    float most = 1e-30F;
    float apart = 0;
    for (std::size_t i = 0; i < a.cols; ++i) {
      most = std::max(most, std::fabs(x[i]));
      apart = std::max(apart, std::fabs(x[i] - y[i]));
    }
    worst = std::max(worst, apart / most);
  }
  return worst;
}

constexpr float kEqual = 0;
constexpr float kEighthBit = 1.0F / 250;  // half a step of Q8_0, whose scale is a half float

void expect_same(const BlockWeights& x, const BlockWeights& y) {
  EXPECT_EQ(difference(x.hc_attn.fn, y.hc_attn.fn), kEqual);
  EXPECT_EQ(difference(x.hc_ffn.fn, y.hc_ffn.fn), kEqual);
  EXPECT_LT(difference(x.attn.wq_a, y.attn.wq_a), kEighthBit);
  EXPECT_LT(difference(x.attn.wq_b, y.attn.wq_b), kEighthBit);
  EXPECT_LT(difference(x.attn.wkv, y.attn.wkv), kEighthBit);
  EXPECT_LT(difference(x.attn.wo_a, y.attn.wo_a), kEighthBit);
  EXPECT_LT(difference(x.attn.wo_b, y.attn.wo_b), kEighthBit);
  EXPECT_EQ(difference(x.ffn.gate, y.ffn.gate), kEqual);
  EXPECT_EQ(x.ffn.bias == nullptr, y.ffn.bias == nullptr);
  EXPECT_LT(difference(x.ffn.shared.w2, y.ffn.shared.w2), kEighthBit);
  ASSERT_EQ(x.ffn.experts.size(), y.ffn.experts.size());
  for (std::size_t e = 0; e < x.ffn.experts.size(); ++e) {
    EXPECT_EQ(difference(x.ffn.experts[e].w1, y.ffn.experts[e].w1), kEqual) << e;
    EXPECT_EQ(difference(x.ffn.experts[e].w2, y.ffn.experts[e].w2), kEqual) << e;
    EXPECT_EQ(difference(x.ffn.experts[e].w3, y.ffn.experts[e].w3), kEqual) << e;
  }
  if (x.attn.compressor) {
    ASSERT_TRUE(y.attn.compressor);
    EXPECT_EQ(difference(x.attn.compressor->wkv, y.attn.compressor->wkv), kEqual);
    EXPECT_EQ(difference(x.attn.compressor->wgate, y.attn.compressor->wgate), kEqual);
  }
  ASSERT_EQ(x.attn.indexer.has_value(), y.attn.indexer.has_value());
  if (x.attn.indexer) {
    EXPECT_LT(difference(x.attn.indexer->wq_b, y.attn.indexer->wq_b), kEighthBit);
    EXPECT_EQ(difference(x.attn.indexer->weights_proj, y.attn.indexer->weights_proj), kEqual);
  }
}

TEST(GgufOfAConverter, HoldsTheReleasedCheckpoint) {
  const auto want_file = open_checkpoint(fixture("small"));
  const auto got_file = open_checkpoint(fixture("small.gguf"));
  ASSERT_TRUE(want_file) << want_file.error().message;
  ASSERT_TRUE(got_file) << got_file.error().message;
  const auto want = bind_weights(*want_file);
  const auto got = bind_weights(*got_file);
  ASSERT_TRUE(want) << want.error().message;
  ASSERT_TRUE(got) << got.error().message;
  const ModelConfig& a = want_file->config;
  const ModelConfig& b = got_file->config;
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.qk_rope_head_dim, b.qk_rope_head_dim);
  EXPECT_EQ(a.index_topk, b.index_topk);
  EXPECT_EQ(a.num_hash_layers, b.num_hash_layers);
  EXPECT_EQ(a.hc_sinkhorn_iters, b.hc_sinkhorn_iters);
  EXPECT_EQ(a.swiglu_limit, b.swiglu_limit);
  EXPECT_EQ(a.yarn_factor, b.yarn_factor);
  EXPECT_EQ(a.compress_rope_theta, b.compress_rope_theta);
  EXPECT_EQ(a.routed_scaling_factor, b.routed_scaling_factor);

  EXPECT_EQ(difference(want->embed, got->embed), kEqual);
  EXPECT_EQ(difference(want->head, got->head), kEqual);
  EXPECT_EQ(difference(want->hc_head.fn, got->hc_head.fn), kEqual);
  ASSERT_EQ(want->layers.size(), got->layers.size());
  for (std::size_t l = 0; l < want->layers.size(); ++l) {
    SCOPED_TRACE(l);
    expect_same(want->layers[l], got->layers[l]);
  }
  // Its MTP block from mtp-small.gguf.
  ASSERT_EQ(want->mtp.size(), 1U);
  ASSERT_EQ(got->mtp.size(), 1U);
  const MtpWeights& x = want->mtp[0];
  const MtpWeights& y = got->mtp[0];
  expect_same(x.block, y.block);
  EXPECT_LT(difference(x.e_proj, y.e_proj), kEighthBit);
  EXPECT_LT(difference(x.h_proj, y.h_proj), kEighthBit);
  EXPECT_GT(difference(x.e_proj, y.h_proj), kEighthBit);
  EXPECT_EQ(difference(x.hc_head.fn, y.hc_head.fn), kEqual);
  EXPECT_GT(difference(x.hc_head.fn, got->hc_head.fn), 0.01F) << "the backbone's";
  for (std::size_t i = 0; i < a.hidden_size; ++i) {
    EXPECT_EQ(x.enorm[i], y.enorm[i]);
    EXPECT_EQ(x.hnorm[i], y.hnorm[i]);
    EXPECT_EQ(x.norm[i], y.norm[i]);
  }
  EXPECT_EQ(a.draft_blocks(), b.draft_blocks());
}

TEST(GgufOfAConverter, RunsAndTokenizes) {
  auto model = Model::open(fixture("small.gguf"), {.numerics = Numerics::kPlain, .mtp = false});
  ASSERT_TRUE(model) << model.error().message;
  std::vector<std::int32_t> ids(300);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * 7 % 280);
  KvCache cache((*model)->pages());
  const StepInput in{.cache = &cache, .ids = ids, .logits_from = 0};
  const auto logits = (*model)->forward({&in, 1}).logits;
  EXPECT_EQ(logits.size(), ids.size() * 300);
  for (const float v : logits) ASSERT_TRUE(std::isfinite(v));

  const auto tokenizer = checkpoint_tokenizer(fixture("small.gguf"));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const std::string text = "int main() { return values[i]; } // \xF0\x9F\x99\x82";
  const auto encoded = (*tokenizer)->encode(text);
  EXPECT_LT(encoded.size(), text.size());
  EXPECT_EQ((*tokenizer)->decode(encoded), text);
}

TEST_F(Gguf_, SayWhatIsWrongWithTheFile) {
  const std::string good = read(fixture("small.gguf"));
  ASSERT_GT(good.size(), 1000U);
  EXPECT_EQ(problem(good), "");
  const auto changed = [&](std::size_t at, std::uint32_t value) {
    std::string s = good;
    std::memcpy(s.data() + at, &value, sizeof(value));
    return s;
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string s = good;
    const auto at = s.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return s.replace(at, from.size(), to);
  };
  EXPECT_NE(problem("").find("no GGUF"), std::string::npos);
  EXPECT_NE(problem(changed(0, 0x11111111)).find("no GGUF"), std::string::npos);
  EXPECT_NE(problem(changed(4, 1)).find("version 1"), std::string::npos);
  EXPECT_NE(problem(changed(12, 0x7FFFFFFF)).find("header"), std::string::npos);
  EXPECT_NE(problem(good.substr(0, good.size() - 100)).find("truncated"), std::string::npos);
  EXPECT_NE(problem(with("deepseek4", "deepseek9")).find("architecture"), std::string::npos);
  EXPECT_NE(problem(with("deepseek4.block_count", "deepseek4.block_cOunt")).find("block_count"),
            std::string::npos);
  EXPECT_NE(problem(with("blk.1.attn_q_b.weight", "blk.1.attn_q_x.weight")).find("attn_q_x"),
            std::string::npos);
  EXPECT_NE(problem(with("blk.2.attn_kv.weight", "blk.7.attn_kv.weight")).find("wkv"),
            std::string::npos);
}

TEST_F(Gguf_, SurviveEveryCutAndAnyFlip) {
  const std::string good = read(fixture("small.gguf"));
  for (std::size_t n = 0; n < good.size(); n += n < 24 ? 1 : 997) {
    EXPECT_NE(problem(good.substr(0, n)), "") << n;
  }
  std::mt19937 random(5);
  for (int i = 0; i < 150; ++i) {
    std::string s = good;
    for (int k = 0; k < 3; ++k) s[random() % 24000] = static_cast<char>(random());
    problem(s);  // an error or a model, never a crash
  }
}

}  // namespace
}  // namespace ambit::inference
