// The CUDA kernels against the reference of each op: those of the library that AMBIT_CUDA_LIBRARY
// names, emulated on the CPU in several thread orders, or on a real card.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <tuple>

#include "inference/ops/hc_mix.h"
#include "inference/ops/index_scores.h"
#include "inference/ops/norm.h"
#include "inference/ops/quantize.h"
#include "inference/ops/rope.h"
#include "inference/ops/route.h"
#include "inference/ops/sparse_attention.h"
#include "inference/ops/top_k.h"
#include "tests/cuda_emulation/ops_fixture.h"

namespace ambit::inference::ops {
namespace {

using cuda::LaunchError;
using namespace testing;

TEST_P(CudaOps, NormsAndTheirFormsAreTheReference) {
  for (const std::size_t dim : {4U, 48U, 128U, 132U, 1028U}) {
    const std::size_t rows = 3;
    const auto x = floats(rows * dim);
    const auto weight = floats(dim);
    Floats expected(rows * dim);
    RmsNormArgs r;
    r.x = x.data();
    r.x_stride = dim;
    r.weight = weight.data();
    r.out = expected.data();
    r.out_stride = dim;
    r.rows = rows;
    r.dim = dim;
    r.eps = 1e-6F;
    rms_norm_reference(r);
    Forms out(rows, dim);
    cuda::NormArgs a;
    a.x = x.data();
    a.rows = rows;
    a.weight = weight.data();
    a.eps = 1e-6F;
    a.out = out.activation;
    ASSERT_EQ(run(api().rms_norm, a), LaunchError::kNone);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(out.f32[i], expected[i], 2e-6F * (1 + std::fabs(expected[i])))
          << "differs from the reference: dim " << dim << " at " << i;
    }
    // The forms of what came out, exactly.
    for (std::size_t row = 0; row < rows; ++row) {
      Floats rounded(out.f32.begin() + static_cast<std::ptrdiff_t>(row * dim),
                     out.f32.begin() + static_cast<std::ptrdiff_t>((row + 1) * dim));
      round_input_row(rounded.data(), dim);
      for (std::size_t i = 0; i < dim; ++i) {
        const std::size_t at = row * dim + i;
        ASSERT_EQ(out.rounded_value(at), rounded[i]) << "differs from the reference: " << i;
        ASSERT_EQ(out.split_value(at), out.f32[at]) << "differs from the reference: " << i;
      }
    }
  }
}

TEST_P(CudaOps, HyperConnectionsAreTheReference) {
  for (const std::size_t dim : {4U, 132U}) {
    const std::size_t n = 4, rows = 5, outs = 24, wide = n * dim;
    auto streams = floats(rows * wide);
    const auto fn = floats(outs * wide), base = floats(outs), scale = floats(3),
               f = floats(2 * rows * dim), last = floats(rows * dim), weight = floats(dim),
               post = floats(rows * n), comb = floats(rows * n * n);
    const Ints entries = {9, 0, 1, 2, 3, 8, 7, 4, 5, 6};
    auto expected = streams;
    Floats partial(rows * 2 * cuda::kMixWidth, NAN), new_post(rows * n, NAN),
        new_comb(rows * n * n, NAN);
    Forms out(rows, dim);
    cuda::HcMixArgs mix;
    mix.streams = streams.data();
    mix.rows = rows;
    mix.dim = dim;
    mix.sublayer = {f.data(), entries.data(), 2, last.data(), post.data(), comb.data()};
    mix.fn = fn.data();
    mix.partial = partial.data();
    ASSERT_EQ(run(api().hc_mix, mix), LaunchError::kNone);
    cuda::HcPreArgs pre;
    pre.streams = streams.data();
    pre.rows = rows;
    pre.dim = dim;
    pre.partial = partial.data();
    pre.base = base.data();
    pre.scale = scale.data();
    pre.hc_eps = 1e-4F;
    pre.norm_eps = 1e-5F;
    pre.post = new_post.data();
    pre.comb = new_comb.data();
    pre.weight = weight.data();
    pre.out = out.activation;
    ASSERT_EQ(run(api().hc_pre, pre), LaunchError::kNone);
    for (std::size_t r = 0; r < rows; ++r) {
      Floats sum(dim), m(outs), split_pre(n), split_post(n), split_comb(n * n), mixed(dim);
      for (std::size_t i = 0; i < dim; ++i) {
        sum[i] = f[static_cast<std::size_t>(entries[2 * r]) * dim + i] +
                 f[static_cast<std::size_t>(entries[2 * r + 1]) * dim + i] + last[r * dim + i];
      }
      float* x = expected.data() + r * wide;
      hc_expand_reference(x, sum.data(), post.data() + r * n, comb.data() + r * n * n, n, dim);
      for (std::size_t o = 0; o < outs; ++o) {
        for (std::size_t i = 0; i < wide; ++i) m[o] += fn[o * wide + i] * x[i];
      }
      hc_split({m.data(), inverse_rms_reference(x, wide, 1e-5F), base.data(), scale.data(), n, 20,
                1e-4F, split_pre.data(), split_post.data(), split_comb.data()});
      hc_collapse_reference(x, split_pre.data(), n, dim, mixed.data());
      const float inverse = inverse_rms_reference(mixed.data(), dim, 1e-5F);
      for (std::size_t i = 0; i < wide; ++i) {
        ASSERT_NEAR(streams[r * wide + i], x[i], 1e-5) << "differs from the reference: streams";
      }
      for (std::size_t i = 0; i < n * n; ++i) {
        ASSERT_NEAR(new_comb[r * n * n + i], split_comb[i], 2e-5)
            << "differs from the reference: comb";
      }
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_NEAR(new_post[r * n + i], split_post[i], 2e-5) << "differs from the reference: post";
      }
      for (std::size_t i = 0; i < dim; ++i) {
        ASSERT_NEAR(out.f32[r * dim + i], weight[i] * mixed[i] * inverse, 1e-4)
            << "differs from the reference: out";
      }
    }
  }
}

void check_routing(CudaOps& t, std::size_t rows, std::size_t experts) {
  const std::size_t k = 3, vocab = 5;
  auto logits = t.floats(rows * experts);
  logits[5] = logits[6] = logits[9] = 30;  // ties: the lower expert
  const auto bias = t.floats(experts);
  Ints table(vocab * k), ids(rows), chosen(rows * k), begin(experts + 1), row(rows * k),
      entries(rows * k), active(experts);
  for (auto& e : table) e = static_cast<std::int32_t>(t.random_() % experts);
  table[0] = table[1];  // one expert twice
  for (std::size_t r = 0; r < rows; ++r) ids[r] = static_cast<std::int32_t>(r % vocab);
  Floats weights(rows * k), entry_weight(rows * k);
  Ints n_active = {-1};
  for (const bool fixed : {false, true}) {
    cuda::RouteArgs a;
    a.logits = logits.data();
    a.bias = fixed ? nullptr : bias.data();
    a.experts_of_token = fixed ? table.data() : nullptr;
    a.step.ids = ids.data();
    a.step.rows = rows;
    a.experts = static_cast<int>(experts);
    a.k = static_cast<int>(k);
    a.scale = 2.5F;
    a.ids = chosen.data();
    a.weights = weights.data();
    a.out = {begin.data(),   row.data(),    entry_weight.data(),
             entries.data(), active.data(), n_active.data()};
    ASSERT_EQ(run(api().route, a), LaunchError::kNone);
    std::vector<std::vector<std::size_t>> rows_of(experts);
    for (std::size_t r = 0; r < rows; ++r) {
      Ints want(k);
      Floats want_weights(k), scratch(experts);
      route({logits.data() + r * experts, a.bias, fixed ? table.data() + ids[r] * k : nullptr,
             experts, k, 2.5F, want.data(), want_weights.data(), scratch.data()});
      std::vector<std::pair<std::int32_t, float>> pairs;
      for (std::size_t i = 0; i < k; ++i) pairs.emplace_back(want[i], want_weights[i]);
      std::stable_sort(pairs.begin(), pairs.end(),
                       [](const auto& x, const auto& y) { return x.first < y.first; });
      for (std::size_t i = 0; i < k; ++i) std::tie(want[i], want_weights[i]) = pairs[i];
      for (std::size_t i = 0; i < k; ++i) {
        ASSERT_EQ(chosen[r * k + i], want[i]) << "differs from the reference: row " << r;
        ASSERT_NEAR(weights[r * k + i], want_weights[i], 1e-5)
            << "differs from the reference: row " << r;
        rows_of[static_cast<std::size_t>(want[i])].push_back(r);
        const auto entry = static_cast<std::size_t>(entries[r * k + i]);
        ASSERT_EQ(row[entry], static_cast<std::int32_t>(r)) << "differs from the reference";
        ASSERT_EQ(entry_weight[entry], weights[r * k + i]) << "differs from the reference";
        ASSERT_TRUE(i == 0 || entries[r * k + i - 1] < entries[r * k + i])
            << "differs from the reference";
      }
    }
    std::int32_t at = 0, n = 0;
    for (std::size_t e = 0; e < experts; ++e) {
      ASSERT_EQ(begin[e], at) << "differs from the reference: expert " << e;
      if (!rows_of[e].empty()) {
        ASSERT_EQ(active[static_cast<std::size_t>(n++)], static_cast<std::int32_t>(e));
      }
      for (const std::size_t r : rows_of[e])
        ASSERT_EQ(row[static_cast<std::size_t>(at++)], static_cast<std::int32_t>(r));
    }
    ASSERT_EQ(n_active[0], n);
  }
}

TEST_P(CudaOps, RoutingIsTheReference) {
  // One block does few rows; more go through several; more experts than threads of a block.
  for (const auto& [rows, experts] :
       {std::pair<std::size_t, std::size_t>{7, 70}, {41, 70}, {3, 300}})
    check_routing(*this, rows, experts);
}

// rounded: queries exact in BF16 and packed keys, which another kernel serves.
void check_selection(CudaOps& t, int heads, int dim, bool rounded, std::size_t rows) {
  Sequence s(t, 1064), other(t, 800);  // 266 and 200 keys
  s.segment.push_back({other.pages.data(), 0, 0, 0, 0});
  auto q = t.floats(rows * static_cast<std::size_t>(heads * dim));
  for (Sequence* one : {&s, &other}) {
    if (rounded) one->pack_keys(static_cast<std::size_t>(dim));
  }
  if (rounded) round_bf16(q.data(), q.size());
  // Short ones, and two sequences in turn.
  const int ratio = 4, top = 17;
  std::vector<std::pair<std::int64_t, std::int32_t>> at = {{68, 0}, {70, 0}, {1063, 0}};
  for (std::size_t r = 3; r < rows; ++r) {
    at.emplace_back(799 - static_cast<std::int64_t>(r % 5), r % 6 / 3);
  }
  s.rows(at);
  const std::size_t most = 266;
  const auto weights = t.floats(rows * static_cast<std::size_t>(heads));
  Ints selected(rows * top, -1);
  Floats scores(rows * most, NAN);
  cuda::IndexArgs a;
  a.step = s.step;
  a.rows = rows;
  a.q = q.data();
  a.weights = weights.data();
  a.heads = heads;
  a.dim = dim;
  a.ratio = ratio;
  a.top = top;
  a.rounded = rounded;
  a.index_at = Sequence::kIndexAt;
  a.most = most;
  a.scores = scores.data();
  a.selected = selected.data();
  ASSERT_EQ(run(api().index_scores, a), LaunchError::kNone);
  for (std::size_t r = 0; r < rows; ++r) {
    const auto visible = static_cast<std::size_t>((s.positions[r] + 1) / ratio);
    const Sequence& of = s.segment_of[r] == 0 ? s : other;
    for (std::size_t c = 0; c < visible && visible > top; ++c) {
      IndexScoresArgs one;
      one.q = q.data() + r * static_cast<std::size_t>(heads * dim);
      one.weights = weights.data() + r * static_cast<std::size_t>(heads);
      one.heads = static_cast<std::size_t>(heads);
      one.dim = static_cast<std::size_t>(dim);
      one.keys = of.key(c);
      one.stride = 32;
      one.rows = 1;
      float want = 0;
      one.out = &want;
      index_scores_reference(one);
      ASSERT_NEAR(scores[r * most + c], want, 1e-3)
          << "differs from the reference: row " << r << ", key " << c;
    }
  }
  // A row's bits do not depend on the rows beside it.
  Floats alone(most, NAN);
  a.first = rows - 1;
  a.rows = 1;
  a.scores = alone.data();
  ASSERT_EQ(run(api().index_scores, a), LaunchError::kNone);
  const auto last = static_cast<std::size_t>((s.positions[rows - 1] + 1) / ratio);
  ASSERT_EQ(std::memcmp(alone.data(), &scores[(rows - 1) * most], last * 4), 0)
      << "differs from the reference: a row alone";
  a.first = 0;
  a.rows = rows;
  a.scores = scores.data();
  // Ties and odd values, then the choice on exactly these scores.
  for (std::size_t r = 2; r < rows; ++r) {
    for (std::size_t c = 0; c < 200; c += 3) scores[r * most + c] = 0.25F;
    scores[r * most + 7] = NAN;
    scores[r * most + 8] = -0.0F;
  }
  ASSERT_EQ(run(api().top_k, a), LaunchError::kNone);
  for (std::size_t r = 0; r < rows; ++r) {
    const auto visible = static_cast<std::size_t>((s.positions[r] + 1) / ratio);
    Ints want(top);
    std::vector<std::uint64_t> scratch(TopK::capacity(top));
    const std::size_t n =
        top_k(scores.data() + r * most, visible, top, want.data(), scratch.data());
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(selected[r * top + i], want[i]) << "differs from the reference: row " << r;
    }
  }
}

TEST_P(CudaOps, SelectionIsExact) {
  check_selection(*this, 20, 32, false, 4);
  check_selection(*this, 4, 64, true, 3);
  check_selection(*this, 16, 32, true, 19);
  check_selection(*this, 64, 128, true, 3);
}

TEST_P(CudaOps, TheLargestScoresAreChosenFromLongLists) {
  const int ratio = 4;
  // Lists of odd length; many ties overflow the room for candidates.
  for (const auto& [n, top, kinds] : {std::array<int, 3>{33001, 512, 0},
                                      {5001, 512, 0},
                                      {2049, 1, 0},
                                      {4500, 1100, 0},
                                      {5000, 512, 3},
                                      {2300, 700, 1}}) {
    const auto most = static_cast<std::size_t>(n);
    Sequence s(*this, 0);
    s.rows({{std::int64_t{n} * ratio - 1, 0}});
    auto scores = floats(most);
    for (float& x : scores) {
      if (kinds != 0) x = static_cast<float>(random_() % static_cast<unsigned>(kinds)) - 1;
    }
    scores[most / 3] = NAN;
    scores[most / 2] = -INFINITY;
    Ints selected(static_cast<std::size_t>(top), -1), want(static_cast<std::size_t>(top));
    cuda::IndexArgs a;
    a.step = s.step;
    a.rows = 1;
    a.ratio = ratio;
    a.top = top;
    a.most = most;
    a.scores = scores.data();
    a.selected = selected.data();
    ASSERT_EQ(run(api().top_k, a), LaunchError::kNone);
    std::vector<std::uint64_t> scratch(TopK::capacity(want.size()));
    ASSERT_EQ(top_k(scores.data(), most, want.size(), want.data(), scratch.data()), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_EQ(selected[i], want[i]) << "differs from the reference: " << n << " scores, " << i;
    }
  }
}

// rounded: packed rows. positions: of the step's rows; from 24 on, other tiles serve them.
void check_attention(CudaOps& t, int dim, int heads, bool rounded,
                     const std::vector<std::int64_t>& positions) {
  Sequence s(t, 300, dim);
  const int ratio = 4, top = 9, half = 2;
  if (rounded) s.pack_rows(2 * half);
  std::vector<std::pair<std::int64_t, std::int32_t>> at;
  for (const std::int64_t p : positions) at.emplace_back(p, 0);
  s.rows(at);
  const std::size_t rows = positions.size(), wide = static_cast<std::size_t>(heads * dim);
  const auto q = t.floats(rows * wide), sink = t.floats(static_cast<std::size_t>(heads));
  Ints selected(rows * top);
  for (std::size_t i = 0; i < selected.size(); ++i)
    selected[i] = static_cast<std::int32_t>(i % top * 3);
  Floats scores(rows * cuda::score_heads(heads) * 256, NAN);
  const Floats cos(rows * half, 0.6F), sin(rows * half, 0.8F);
  for (const bool chosen : {false, true}) {
    Forms out(rows, wide), alone(rows, wide);
    cuda::AttentionArgs a;
    a.step = s.step;
    a.rows = rows;
    a.q = q.data();
    a.sink = sink.data();
    a.heads = heads;
    a.dim = dim;
    a.window = 128;
    a.ratio = ratio;
    a.rows_at = Sequence::kRowsAt;
    a.row_bytes = s.row_bytes;
    a.selected = chosen ? selected.data() : nullptr;
    a.top = top;
    a.rounded = rounded;
    a.most = 256;
    a.scores = scores.data();
    a.rope = {cos.data(), sin.data(), half};
    a.out = out.activation;
    ASSERT_EQ(run(api().attention, a), LaunchError::kNone);
    for (std::size_t r = 0; r < rows; ++r) {
      const std::int64_t p = s.positions[r];
      std::vector<const float*> list;
      for (std::int64_t w = std::max<std::int64_t>(0, p - 127); w <= p; ++w)
        list.push_back(s.window(w));
      const std::int64_t visible = (p + 1) / ratio;
      const bool cut = chosen && visible > top;
      for (std::int64_t c = 0; c < (cut ? top : visible); ++c) {
        list.push_back(s.row(chosen ? selected[r * top + static_cast<std::size_t>(c)] : c, ratio));
      }
      Floats want(wide), scratch(static_cast<std::size_t>(heads) * list.size());
      SparseAttentionArgs ref;
      ref.q = q.data() + r * wide;
      ref.heads = static_cast<std::size_t>(heads);
      ref.dim = static_cast<std::size_t>(dim);
      ref.rows = list.data();
      ref.n_rows = list.size();
      ref.sink = sink.data();
      ref.scale = 1.0F / std::sqrt(static_cast<float>(dim));
      ref.out = want.data();
      ref.scratch = scratch.data();
      sparse_attention_reference(ref);
      rope_apply(want.data(), ref.heads, ref.dim, ref.dim, 2 * half, cos.data(), sin.data(),
                 RopeDirection::kInverse);
      for (std::size_t i = 0; i < wide; ++i) {
        ASSERT_NEAR(out.f32[r * wide + i], want[i], 1e-5)
            << "differs from the reference: row " << r << " at " << i;
        ASSERT_EQ(out.split_value(r * wide + i), out.f32[r * wide + i])
            << "differs from the reference: row " << r << " at " << i;
      }
    }
    // A row's bits do not depend on how many rows a call has, nor on which tile serves it.
    a.first = rows - 1;
    a.rows = 1;
    a.out = alone.activation;
    ASSERT_EQ(run(api().attention, a), LaunchError::kNone);
    ASSERT_EQ(std::memcmp(&alone.f32[a.first * wide], &out.f32[a.first * wide], wide * 4), 0)
        << "differs from the reference: a row alone";
  }
}

TEST_P(CudaOps, AttentionIsTheReference) {
  const std::vector<std::int64_t> few = {0, 5, 130, 299};
  std::vector<std::int64_t> many;
  for (std::int64_t p = 3; many.size() < 24; p += 12) many.push_back(p);
  for (const bool rounded : {false, true}) {
    check_attention(*this, Sequence::kDim, 19, rounded, few);
    check_attention(*this, rounded ? 68 : 8, 3, rounded, few);
    check_attention(*this, rounded ? 68 : 36, 35, rounded, many);
  }
}

TEST_P(CudaOps, AnglesAndTheLargestLogit) {
  const Mapped<std::int64_t> positions = {0, 1, 4096, 1048575};
  const Floats frequencies = {1.0F, 0.31622776F, 5.7e-7F};
  Floats cos(12), sin(12), want_cos(3), want_sin(3);
  cuda::AnglesArgs a;
  a.frequencies = frequencies.data();
  a.half = 3;
  a.step.positions = positions.data();
  a.step.rows = positions.size();
  a.cos = cos.data();
  a.sin = sin.data();
  ASSERT_EQ(run(api().angles, a), LaunchError::kNone);
  for (std::size_t r = 0; r < positions.size(); ++r) {
    rope_angles({frequencies.begin(), frequencies.end()}, positions[r], want_cos.data(),
                want_sin.data());
    for (std::size_t i = 0; i < 3; ++i) {
      ASSERT_NEAR(cos[r * 3 + i], want_cos[i], 2e-7)
          << "differs from the reference: " << positions[r];
      ASSERT_NEAR(sin[r * 3 + i], want_sin[i], 2e-7)
          << "differs from the reference: " << positions[r];
    }
  }
  auto x = floats(2 * 1500);
  x[700] = x[1400] = x[3] = 9;
  x[1500 + 1499] = 10;
  Ints best = {-1, -1};
  ASSERT_EQ(run(api().argmax, cuda::ArgmaxArgs{x.data(), 2, 1500, best.data()}),
            LaunchError::kNone);
  EXPECT_EQ(best[0], 3) << "differs from the reference";
  EXPECT_EQ(best[1], 1499) << "differs from the reference";
}

TEST_P(CudaOps, ShapesThatNoKernelServesAreRefused) {
  const Weights w = weights(MatrixType::kFp8Block128, 16, 128);
  Forms x(1, 128);
  Floats y(16);
  cuda::LinearArgs a;
  a.jobs[0].w = w.matrix;
  a.jobs[0].y = y.data();
  a.jobs[0].round = true;
  a.n_jobs = 1;
  a.x = x.activation;
  a.n = 1;
  a.x.rounded += 1;  // not aligned
  EXPECT_EQ(run(api().linear, a), LaunchError::kShape);
  a.x = x.activation;
  a.jobs[0].w.cols = 96;
  EXPECT_EQ(run(api().linear, a), LaunchError::kShape);
  a.jobs[0].w.cols = 128;
  a.jobs[0].w.type = MatrixType::kF16;
  EXPECT_EQ(run(api().linear, a), LaunchError::kUnsupported);
}

INSTANTIATE_TEST_SUITE_P(Orders, CudaOps, ::testing::ValuesIn(testing::thread_orders()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace ambit::inference::ops
