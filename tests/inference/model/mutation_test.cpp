// Would the golden tests notice? Each mistake below is planted through the configuration or the
// weights, and the logits must then leave the tolerance by far. The expected sizes are those of the
// table of mistakes that came with the golden data (f32-a, 300 tokens); mistakes.py plants the rest
// of the table in the source.
#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "inference/model/model.h"
#include "tests/inference/model/golden.h"
#include "tests/inference/model/golden_difference.h"

namespace ambit::inference {
namespace {

struct Mistake {
  std::string name;
  std::function<void(ModelConfig&, ModelWeights&)> plant;
};

// A copy of n floats that a mistake may change; lives as long as the weights.
float* own(ModelWeights& w, const float*& at, std::size_t n) {
  auto& copy = w.floats.emplace_back(at, at + n);
  at = copy.data();
  return copy.data();
}

void set_all(ModelWeights& w, const float*& at, std::size_t n, float value) {
  std::fill_n(own(w, at, n), n, value);
}

template <class F>
void each_block(ModelWeights& w, F f) {
  for (BlockWeights& b : w.layers) f(b);
}

template <class F>
void each_hc(ModelWeights& w, F f) {
  each_block(w, [&](BlockWeights& b) {
    f(b.hc_attn);
    f(b.hc_ffn);
  });
}

template <class F>
void each_compressor(ModelWeights& w, bool attention, bool index, F f) {
  for (std::size_t l = 0; l < w.layers.size(); ++l) {
    AttentionWeights& a = w.layers[l].attn;
    if (attention && a.compressor) f(*a.compressor, l);
    if (index && a.indexer) f(a.indexer->compressor, l);
  }
}

// Elements of an ape: ratio rows of `width`; both divide the same way for attention and index.
std::size_t ape_width(const CompressorWeights& c) {
  return c.wkv.rows;
}

void rotate_ape(ModelConfig& c, ModelWeights& w) {
  each_compressor(w, true, true, [&](CompressorWeights& k, std::size_t l) {
    const std::size_t width = ape_width(k);
    const auto rows = static_cast<std::size_t>(c.ratio(l));
    float* ape = own(w, k.ape, rows * width);
    std::rotate(ape, ape + width, ape + rows * width);
  });
}

void drop_ape(ModelConfig& c, ModelWeights& w, bool attention) {
  each_compressor(w, attention, true, [&](CompressorWeights& k, std::size_t l) {
    set_all(w, k.ape, static_cast<std::size_t>(c.ratio(l)) * ape_width(k), 0);
  });
}

// Swaps the halves of the rows of an F32 matrix of an overlapping compressor.
void swap_halves(ModelWeights& w, ops::Matrix& m) {
  const std::size_t n = m.rows * m.cols;
  auto& copy = w.floats.emplace_back(reinterpret_cast<const float*>(m.data),
                                     reinterpret_cast<const float*>(m.data) + n);
  std::rotate(copy.begin(), copy.begin() + static_cast<std::ptrdiff_t>(n / 2), copy.end());
  m.data = reinterpret_cast<const std::byte*>(copy.data());
}

void swap_kv_halves(ModelWeights& w, bool index) {
  each_compressor(w, !index, index, [&](CompressorWeights& k, std::size_t l) {
    if (w.layers[l].attn.indexer) swap_halves(w, k.wkv);
  });
}

const std::vector<Mistake>& mistakes() {
  static const std::vector<Mistake> all = {
      {"no attention sink",
       [](auto& c, auto& w) {
         each_block(w, [&](auto& b) { set_all(w, b.attn.sink, c.num_attention_heads, -1e30F); });
       }},
      {"ape ignored (all compressors)", [](auto& c, auto& w) { drop_ape(c, w, true); }},
      {"ape ignored (indexer only)", [](auto& c, auto& w) { drop_ape(c, w, false); }},
      {"ape rows rotated by one", rotate_ape},
      {"router bias ignored",
       [](auto&, auto& w) { each_block(w, [](auto& b) { b.ffn.bias = nullptr; }); }},
      {"hash table shifted by one id",
       [](auto& c, auto& w) {
         each_block(w, [&](auto& b) {
           if (b.ffn.experts_of_token == nullptr) return;
           const std::size_t k = c.num_experts_per_tok;
           auto& t = w.tables.emplace_back(b.ffn.experts_of_token,
                                           b.ffn.experts_of_token + c.vocab_size * k);
           std::rotate(t.begin(), t.begin() + static_cast<std::ptrdiff_t>(k), t.end());
           b.ffn.experts_of_token = t.data();
         });
       }},
      {"mHC base ignored",
       [](auto& c, auto& w) {
         each_hc(w, [&](auto& h) { set_all(w, h.base, (2 + c.hc_mult) * c.hc_mult, 0); });
       }},
      {"mHC scale = 1",
       [](auto&, auto& w) { each_hc(w, [&](auto& h) { set_all(w, h.scale, 3, 1); }); }},
      {"q_norm weight ignored",
       [](auto& c, auto& w) {
         each_block(w, [&](auto& b) { set_all(w, b.attn.q_norm, c.q_lora_rank, 1); });
       }},
      {"kv_norm weight ignored",
       [](auto& c, auto& w) {
         each_block(w, [&](auto& b) { set_all(w, b.attn.kv_norm, c.head_dim, 1); });
       }},
      {"compressor norm weight ignored",
       [](auto& c, auto& w) {
         each_compressor(w, true, false,
                         [&](auto& k, std::size_t) { set_all(w, k.norm, c.head_dim, 1); });
       }},
      {"head mHC base ignored", [](auto& c, auto& w) { set_all(w, w.hc_head.base, c.hc_mult, 0); }},
      {"no YaRN on compressed layers", [](auto& c, auto&) { c.yarn = false; }},
      {"compressed layers use rope_theta",
       [](auto& c, auto&) { c.compress_rope_theta = c.rope_theta; }},
      {"sliding layers use the compressed base",
       [](auto& c, auto&) { c.rope_theta = c.compress_rope_theta; }},
      {"sinkhorn 19 iterations", [](auto& c, auto&) { c.hc_sinkhorn_iters = 19; }},
      {"sinkhorn 3 iterations", [](auto& c, auto&) { c.hc_sinkhorn_iters = 3; }},
      {"hc_eps dropped everywhere", [](auto& c, auto&) { c.hc_eps = 0; }},
      {"index top-k off by one", [](auto& c, auto&) { c.index_topk -= 1; }},
      {"all ratio-4 rows attended", [](auto& c, auto&) { c.index_topk = 4096; }},
      {"kv halves swapped in the attention compressor",
       [](auto&, auto& w) { swap_kv_halves(w, false); }},
      {"kv halves swapped in the indexer compressor",
       [](auto&, auto& w) { swap_kv_halves(w, true); }},
      {"swiglu clamp missing",
       [](auto& c, auto&) { c.swiglu_limit = std::numeric_limits<float>::infinity(); }},
      {"route scale missing", [](auto& c, auto&) { c.routed_scaling_factor = 1; }},
      {"window 127", [](auto& c, auto&) { c.sliding_window = 127; }},
      {"window 129", [](auto& c, auto&) { c.sliding_window = 129; }},
      {"norm eps a tenth of the config value", [](auto& c, auto&) { c.rms_norm_eps *= 0.1F; }},
  };
  return all;
}

class Mutation : public testing::TestWithParam<std::size_t> {};

double largest_difference(const Mistake* mistake) {
  const auto folder = golden::folder("f32-a");
  auto config = ModelConfig::load(*folder / "config.json").value();
  auto weights = bind_weights(open_checkpoint(*folder).value()).value();
  if (mistake != nullptr) mistake->plant(config, weights);
  Model model(config, std::move(weights), {.numerics = Numerics::kPlain, .mtp = false});
  return golden::largest_difference(model);
}

TEST_P(Mutation, IsNoticed) {
  if (!golden::folder("f32-a")) GTEST_SKIP() << "golden checkpoint f32-a is not here";
  const Mistake& mistake = mistakes()[GetParam()];
  EXPECT_GT(largest_difference(&mistake), golden::kTolerance) << mistake.name;
}

TEST(MutationControl, WithoutAMistakeTheLogitsAgree) {
  if (!golden::folder("f32-a")) GTEST_SKIP() << "golden checkpoint f32-a is not here";
  EXPECT_LT(largest_difference(nullptr), golden::kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Mistakes, Mutation, testing::Range<std::size_t>(0, mistakes().size()));

}  // namespace
}  // namespace ambit::inference
