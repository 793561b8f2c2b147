// Ops against the golden unit vectors, and each fast path against its plain loop.
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/ops/gemm.h"
#include "inference/ops/quantize.h"
#include "inference/ops/rope.h"
#include "inference/ops/table.h"
#include "inference/ops/top_k.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference::ops {
namespace {

using testing::ElementsAre;
using testing::FloatNear;
using testing::Pointwise;

class Units : public testing::Test {
 protected:
  void SetUp() override {
    const auto path = golden::file("units.safetensors");
    if (!path) GTEST_SKIP() << "units.safetensors is not here";
    auto f = Safetensors::open(*path);
    ASSERT_TRUE(f);
    file_ = std::move(*f);
  }
  Safetensors file_;
};

TEST_F(Units, CodesHaveTheirValues) {
  const auto e4m3 = golden::floats(file_, "table/e4m3");
  for (unsigned i = 0; i < 256; ++i) {
    if (i % 128 == 127) {
      EXPECT_TRUE(std::isnan(e4m3_value(static_cast<std::uint8_t>(i))));
    } else {
      EXPECT_EQ(e4m3_value(static_cast<std::uint8_t>(i)), e4m3[i]);
    }
  }
  const auto e2m1 = golden::floats(file_, "table/e2m1");
  for (unsigned i = 0; i < 16; ++i) {
    EXPECT_EQ(e2m1_value(static_cast<std::uint8_t>(i)), e2m1[i]);
  }
}

TEST_F(Units, EncodingRoundsToNearestEven) {
  const auto in = golden::floats(file_, "encode/e4m3_in");
  const auto out = golden::bytes(file_, "encode/e4m3_out");
  for (std::size_t i = 0; i < in.size(); ++i) EXPECT_EQ(e4m3_code(in[i]), out[i]) << in[i];
  const auto in4 = golden::floats(file_, "encode/e2m1_in");
  const auto out4 = golden::bytes(file_, "encode/e2m1_out");
  for (std::size_t i = 0; i < in4.size(); ++i) EXPECT_EQ(e2m1_code(in4[i]), out4[i]) << in4[i];
}

TEST_F(Units, ActivationRoundingIsExact) {
  for (const auto& [name, group, fp4] :
       {std::tuple("act/fp8_g64", 64U, false), std::tuple("act/fp8_g128", 128U, false),
        std::tuple("act/fp4_g32", 32U, true)}) {
    auto x = golden::floats(file_, "act/x");
    for (std::size_t r = 0; r < x.size() / 256; ++r) {
      if (fp4) {
        round_fp4(x.data() + r * 256, 256, group);
      } else {
        round_fp8(x.data() + r * 256, 256, group);
      }
    }
    EXPECT_EQ(x, golden::floats(file_, std::string(name) + "_value")) << name;
  }
}

TEST_F(Units, Hadamard) {
  auto x = golden::floats(file_, "hadamard/x");
  for (std::size_t r = 0; r < x.size() / 128; ++r) hadamard(x.data() + r * 128, 128);
  EXPECT_THAT(x, Pointwise(FloatNear(1e-5F), golden::floats(file_, "hadamard/y")));
}

TEST_F(Units, RopeOfTheReleasedConfiguration) {
  const auto positions = golden::ints(file_, "rope/pos");
  for (const bool compress : {false, true}) {
    const std::string key = compress ? "rope_release/compress_" : "rope_release/main_";
    const auto f =
        rope_frequencies({.rope_dim = 64, .base = compress ? 160000.0 : 10000.0, .yarn = compress});
    const auto want = golden::floats(file_, key + "inv_freq");
    ASSERT_EQ(f.size(), want.size());
    for (std::size_t i = 0; i < f.size(); ++i) EXPECT_NEAR(f[i] / want[i], 1, 2e-7) << i;
    const auto cos = golden::floats(file_, key + "cos");
    const auto sin = golden::floats(file_, key + "sin");
    std::vector<float> c(32);
    std::vector<float> s(32);
    for (std::size_t p = 0; p < positions.size(); ++p) {
      rope_angles(want, positions[p], c.data(), s.data());
      for (std::size_t i = 0; i < 32; ++i) {
        EXPECT_NEAR(c[i], cos[p * 32 + i], 1e-6);
        EXPECT_NEAR(s[i], sin[p * 32 + i], 1e-6);
      }
    }
  }
}

TEST(Gemm, MultipliesEveryFormatAsStoredWhateverItsCompany) {
  std::mt19937 random(3);
  ThreadPool pool(2);
  constexpr std::size_t kRows = 200;
  constexpr std::size_t kCols = 320;
  std::vector<std::uint8_t> data(kRows * kCols * 4);
  std::vector<std::uint8_t> scales(kRows * kCols / 32);
  for (auto& s : scales) s = static_cast<std::uint8_t>(120 + random() % 8);
  std::normal_distribution<float> normal;
  std::vector<float> x(7 * kCols);
  for (float& v : x) v = normal(random);
  for (const MatrixType type :
       {MatrixType::kF32, MatrixType::kBf16, MatrixType::kFp8Block128, MatrixType::kFp4Group32}) {
    SCOPED_TRACE(static_cast<int>(type));
    for (std::size_t i = 0; i < kRows * kCols; ++i) {
      const float v = normal(random);
      const auto bits = std::bit_cast<std::uint32_t>(v);
      if (type == MatrixType::kF32) std::memcpy(&data[i * 4], &v, 4);
      if (type == MatrixType::kBf16) {
        const auto half = static_cast<std::uint16_t>(bits >> 16U);
        std::memcpy(&data[i * 2], &half, 2);
      }
      // Every code but NaN.
      if (type == MatrixType::kFp8Block128) {
        data[i] = static_cast<std::uint8_t>(random() % 127 + 128 * (random() % 2));
      }
      if (type == MatrixType::kFp4Group32) data[i / 2] = static_cast<std::uint8_t>(random());
    }
    const Matrix w{type, kRows, kCols, reinterpret_cast<const std::byte*>(data.data()),
                   scales.data()};
    std::vector<float> want(7 * 90);
    std::vector<float> got(7 * 90);
    GemmArgs a{.w = &w,
               .first = 64,
               .count = 90,
               .x = x.data(),
               .x_stride = kCols,
               .n = 7,
               .y = want.data(),
               .y_stride = 90};
    gemm_reference(a);
    a.y = got.data();
    gemm_cpu(a, pool);
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], 2e-4 * (1 + std::fabs(want[i]))) << i;
    }
    for (std::size_t r = 0; r < 7; ++r) {
      std::vector<float> one(90);
      a.x = x.data() + r * kCols;
      a.n = 1;
      a.y = one.data();
      gemm_cpu(a, pool);
      EXPECT_TRUE(
          std::equal(one.begin(), one.end(), got.begin() + static_cast<std::ptrdiff_t>(r * 90)));
    }
  }
}

TEST(HcMix, GivesTheCheckVector) {
  float m[24];
  float base[24];
  for (int k = 0; k < 24; ++k) {
    m[k] = static_cast<float>(std::sin(1.0 + k));
    base[k] = 0.1F * static_cast<float>(k % 5 - 2);
  }
  const float scale[3] = {0.5F, 1, 2};
  float pre[4];
  float post[4];
  float comb[16];
  hc_split({.m = m,
            .inverse_rms = 1,
            .base = base,
            .scale = scale,
            .n = 4,
            .iterations = 20,
            .hc_eps = 1e-6F,
            .pre = pre,
            .post = post,
            .comb = comb});
  EXPECT_THAT(pre, Pointwise(FloatNear(1e-6F), {0.5549619F, 0.5877454F, 0.5176337F, 0.4308468F}));
  EXPECT_THAT(post, Pointwise(FloatNear(1e-6F), {0.6377597F, 0.7647803F, 1.2715100F, 1.4579223F}));
  EXPECT_THAT(comb, Pointwise(FloatNear(1e-6F),
                              {.4594968F, .2301701F, .1231717F, .1871604F, .0415509F, .4408721F,
                               .4901904F, .0273855F, .0037730F, .0194845F, .2593007F, .7174410F,
                               .4951783F, .3094722F, .1273362F, .0680122F}));
}

TEST(TopK, AStreamInSharesGivesWhatSortingGives) {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    const std::size_t n = 100 + random() % 6000;
    const std::size_t k = 1 + random() % 700;
    std::vector<float> scores(n);
    // Many ties, and what no score should be.
    for (float& s : scores) s = static_cast<float>(random() % 50) - 10;
    for (int i = 0; i < 5; ++i) scores[random() % n] = NAN;
    std::vector<std::int32_t> want(n);
    std::iota(want.begin(), want.end(), 0);
    const auto value = [&](std::int32_t i) {
      const float s = scores[static_cast<std::size_t>(i)];
      return s == s ? s : -INFINITY;
    };
    std::stable_sort(want.begin(), want.end(),
                     [&](std::int32_t a, std::int32_t b) { return value(a) > value(b); });
    want.resize(std::min(n, k));
    std::sort(want.begin(), want.end());
    const std::size_t room = TopK::capacity(k);
    std::vector<std::uint64_t> keys(3 * room);
    std::vector<TopK> parts;
    for (std::size_t part = 0; part < 3; ++part) parts.emplace_back(k, keys.data() + part * room);
    for (std::size_t i = 0, part = 0; i < n; ++i) {
      if (random() % 100 == 0) part = random() % 3;
      parts[part].add(scores[i], i);
    }
    parts[0].add(parts[1]);
    parts[0].add(parts[2]);
    std::vector<std::int32_t> got(std::min(n, k));
    ASSERT_EQ(parts[0].finish(got.data()), got.size());
    EXPECT_EQ(got, want) << n << " " << k;
  }
}

TEST(TopK, AGuessThatIsTooHighFindsTooFew) {
  std::mt19937 random(4);
  std::vector<float> scores(32 * 40);
  for (float& s : scores) s = static_cast<float>(random() % 1000);
  std::vector<float> sorted = scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  constexpr std::size_t kTop = 60;
  std::vector<std::uint64_t> room(TopK::capacity(kTop));
  std::vector<std::int32_t> want(kTop), got(kTop);
  ASSERT_EQ(top_k(scores.data(), scores.size(), kTop, want.data(), room.data()), kTop);
  const auto found = [&](float guess) {
    TopK best(kTop, room.data(), guess);
    for (std::size_t block = 0; block < 40; ++block) {
      std::uint32_t above = 0;
      for (std::size_t i = 0; i < 32; ++i) {
        above |= (scores[32 * block + i] > best.threshold() ? 1U : 0U) << i;
      }
      best.add_some(scores.data() + 32 * block, above, static_cast<std::int32_t>(32 * block));
    }
    return best.finish(got.data());
  };
  EXPECT_EQ(found(sorted[3 * kTop]), kTop);
  EXPECT_EQ(got, want);
  EXPECT_LT(found(sorted[kTop / 2]), kTop);
}

TEST(TopK, TakesTheLargestAndOfEqualsTheFirst) {
  const float scores[] = {1, 3, 2, 3, -1, 2, NAN};
  std::int32_t out[7];
  std::vector<std::uint64_t> room(TopK::capacity(7));
  std::uint64_t* scratch = room.data();
  ASSERT_EQ(top_k(scores, 7, 3, out, scratch), 3U);
  EXPECT_THAT(std::vector(out, out + 3), ElementsAre(1, 2, 3));
  ASSERT_EQ(top_k(scores, 7, 6, out, scratch), 6U);
  EXPECT_THAT(std::vector(out, out + 6), ElementsAre(0, 1, 2, 3, 4, 5));
}

class FastPaths : public testing::TestWithParam<int> {
 protected:
  std::mt19937 random_{static_cast<unsigned>(GetParam())};
  std::vector<float> values(std::size_t n) {
    std::normal_distribution<float> d(0, 1);
    std::vector<float> v(n);
    for (float& x : v) x = d(random_);
    return v;
  }
  std::size_t between(std::size_t a, std::size_t b) {
    return std::uniform_int_distribution<std::size_t>(a, b)(random_);
  }
};

// A list of rows in parts, as the model computes it.
std::vector<float> attend_in_parts(decltype(&attention_piece_cpu) piece_of,
                                   const SparseAttentionArgs& a) {
  std::vector<float> out(a.heads * a.dim);
  std::vector<AttentionFold> folds;
  for (std::size_t h = 0; h < a.heads; ++h) {
    folds.push_back({.out = out.data() + h * a.dim, .dim = a.dim, .largest = a.sink[h]});
  }
  std::vector<float> part(a.heads * a.dim);
  std::vector<float> largest(a.heads);
  std::vector<float> sum(a.heads);
  const std::size_t part_rows = attention_part_rows(a.n_rows);
  for (std::size_t at = 0; at < a.n_rows; at += part_rows) {
    const std::size_t end = std::min(a.n_rows, at + part_rows);
    for (std::size_t from = at; from < end; from += kAttentionRows) {
      piece_of({.q = a.q,
                .heads = a.heads,
                .dim = a.dim,
                .rows = a.rows + from,
                .n_rows = std::min(kAttentionRows, end - from),
                .scale = a.scale,
                .first = from == at,
                .out = part.data(),
                .largest = largest.data(),
                .sum = sum.data()});
    }
    for (std::size_t h = 0; h < a.heads; ++h) {
      folds[h].add(part.data() + h * a.dim, largest[h], sum[h]);
    }
  }
  for (AttentionFold& f : folds) f.finish();
  return out;
}

TEST_P(FastPaths, AttentionAgreesAndDoesNotDependOnItsHeadsCompany) {
  const std::size_t heads = between(1, 70);
  const std::size_t dim = between(1, 150);
  const std::size_t n = GetParam() % 3 == 0 ? between(2049, 2400) : between(1, 300);
  const auto q = values(heads * dim);
  const auto kv = values(n * dim);
  const auto sink = values(heads);
  std::vector<const float*> rows;
  for (std::size_t r = 0; r < n; ++r) rows.push_back(kv.data() + r * dim);
  std::vector<float> scratch(heads * n);
  std::vector<float> want(heads * dim);
  SparseAttentionArgs a{.q = q.data(),
                        .heads = heads,
                        .dim = dim,
                        .rows = rows.data(),
                        .n_rows = n,
                        .sink = sink.data(),
                        .scale = 0.2F,
                        .out = want.data(),
                        .scratch = scratch.data()};
  sparse_attention_reference(a);
  EXPECT_THAT(attend_in_parts(attention_piece_reference, a), Pointwise(FloatNear(2e-5F), want));
  const std::vector<float> got = attend_in_parts(attention_piece_cpu, a);
  EXPECT_THAT(got, Pointwise(FloatNear(2e-5F), want));
  for (std::size_t h = 0; h < heads; ++h) {
    a.q = q.data() + h * dim;
    a.heads = 1;
    a.sink = sink.data() + h;
    const std::vector<float> one = attend_in_parts(attention_piece_cpu, a);
    EXPECT_TRUE(
        std::equal(one.begin(), one.end(), got.begin() + static_cast<std::ptrdiff_t>(h * dim)));
  }
}

TEST_P(FastPaths, IndexScoresAgreeAndDoNotDependOnTheirCompany) {
  const std::size_t heads = between(1, 17);
  const std::size_t dim = between(1, 130);
  const std::size_t n = between(1, 33);
  const auto q = values(heads * dim);
  const auto w = values(heads);
  const auto keys = values(n * dim);
  std::vector<float> want(n);
  std::vector<float> got(n);
  IndexScoresArgs a{.q = q.data(),
                    .weights = w.data(),
                    .heads = heads,
                    .dim = dim,

                    .keys = keys.data(),
                    .stride = n,
                    .rows = n,
                    .out = want.data()};
  index_scores_reference(a);
  a.out = got.data();
  index_scores_cpu(a);
  EXPECT_THAT(got, Pointwise(FloatNear(1e-3F), want));
  // Whatever the stride and the number of rows asked for.
  const std::size_t wide = n + between(0, 40);
  std::vector<float> spread(wide * dim);
  for (std::size_t i = 0; i < dim; ++i) {
    for (std::size_t r = 0; r < n; ++r) spread[i * wide + r] = keys[i * n + r];
  }
  a.keys = spread.data();
  a.stride = wide;
  for (a.rows = 1; a.rows <= n; ++a.rows) {
    std::vector<float> some(a.rows);
    a.out = some.data();
    index_scores_cpu(a);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), got.begin()));
  }
}

TEST_P(FastPaths, RowOpsAgree) {
  const std::size_t dim = between(1, 200);
  const auto x = values(4 * dim);
  const auto w = values(dim);
  std::vector<float> want(4 * dim);
  std::vector<float> got(4 * dim);
  RmsNormArgs a{.x = x.data(),
                .x_stride = dim,
                .weight = w.data(),
                .out = want.data(),
                .out_stride = dim,
                .rows = 4,
                .dim = dim,
                .eps = 1e-6F};
  rms_norm_reference(a);
  a.out = got.data();
  rms_norm_cpu(a);
  EXPECT_THAT(got, Pointwise(FloatNear(2e-5F), want));

  swiglu_reference(x.data(), x.data() + dim, dim, 1.5F, 0.7F, want.data());
  swiglu_cpu(x.data(), x.data() + dim, dim, 1.5F, 0.7F, got.data());
  EXPECT_THAT(got, Pointwise(FloatNear(2e-5F), want));

  const auto comb = values(16);
  const auto post = values(4);
  want = x;
  got = x;
  hc_expand_reference(want.data(), w.data(), post.data(), comb.data(), 4, dim);
  hc_expand_cpu(got.data(), w.data(), post.data(), comb.data(), 4, dim);
  EXPECT_THAT(got, Pointwise(FloatNear(2e-5F), want));

  const std::size_t n = between(1, 9);
  const auto v = values(n * dim);
  const auto s = values(n * dim);
  std::vector<const float*> vp;
  std::vector<const float*> sp;
  for (std::size_t i = 0; i < n; ++i) {
    vp.push_back(v.data() + i * dim);
    sp.push_back(s.data() + i * dim);
  }
  want.assign(dim, 0);
  got.assign(dim, 0);
  compress_reference({vp.data(), sp.data(), n, dim, want.data()});
  compress_cpu({vp.data(), sp.data(), n, dim, got.data()});
  EXPECT_THAT(got, Pointwise(FloatNear(2e-5F), want));
}

TEST_P(FastPaths, PackedRowsLoseNothing) {
  for (const auto& [dim, rope] :
       {std::pair<std::size_t, std::size_t>{512, 64}, {96, 32}, {70, 6}}) {
    std::vector<float> x = values(dim);
    x[0] = 1e-6F;
    round_kv_row(x.data(), dim, rope);
    std::vector<std::uint8_t> row(kv_row_bytes(dim, rope));
    pack_kv_row(x.data(), dim, rope, row.data());
    std::vector<float> back(dim);
    const std::uint8_t* packed = row.data();
    unpack_kv_rows_reference(&packed, 1, dim, rope, back.data());
    EXPECT_EQ(back, x);
    unpack_kv_rows_cpu(&packed, 1, dim, rope, back.data());
    EXPECT_EQ(back, x);
  }
}

// A row of which the groups of 32 have scales of 1 … 2^spread once it is rounded.
std::vector<float> apart(std::vector<float> row, unsigned spread, std::mt19937& random) {
  for (std::size_t i = 0; i < row.size(); i += 32) {
    const std::size_t end = std::min(i + 32, row.size());
    float most = 0;
    for (std::size_t k = i; k < end; ++k) most = std::max(most, std::fabs(row[k]));
    const float up = std::ldexp(5.0F / most, static_cast<int>(random() % (spread + 1)));
    for (std::size_t k = i; k < end; ++k) row[k] *= up;
  }
  hadamard(row.data(), row.size());  // which rounding takes back
  return row;
}

// As the kernels promise it: bits, and the scores that bits are set for.
void expect_scores(decltype(&packed_scores_reference) kernel, const PackedQuery& q,
                   const std::vector<std::uint8_t>& block, const float* want, float threshold) {
  alignas(64) std::uint8_t scratch[kKeyBlock * 128];
  float got[kKeyBlock] = {};
  const std::uint32_t above = kernel(q, block.data(), threshold, got, scratch);
  for (std::size_t c = 0; c < kKeyBlock; ++c) {
    EXPECT_EQ(above >> c & 1U, want[c] > threshold ? 1U : 0U);
    if (threshold == -INFINITY || want[c] > threshold) {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(got[c]), std::bit_cast<std::uint32_t>(want[c]))
          << q.heads << " x " << q.dim << " whole " << q.whole << " above " << threshold;
    }
  }
}

TEST_P(FastPaths, PackedScoresAreTheSameBitsInEveryKernel) {
  for (const auto& [heads, dim] :
       {std::pair<std::size_t, std::size_t>{16, 64}, {64, 128}, {5, 32}, {3, 16}, {2, 4}}) {
    const auto spread = static_cast<unsigned>(between(0, PackedQuery::kKeySpread + 1));
    const auto query_spread = static_cast<unsigned>(between(0, PackedQuery::kQuerySpread + 1));
    std::vector<std::uint8_t> block(key_block_bytes(dim));
    std::vector<std::vector<float>> keys;
    for (std::size_t c = 0; c < kKeyBlock; ++c) {
      keys.push_back(apart(values(dim), spread, random_));
      if (c == 5 && spread == 2) std::fill(keys.back().begin(), keys.back().end(), 0.0F);
      round_index_row(keys.back().data(), dim);
      pack_key(keys.back().data(), dim, c, block.data());
    }
    for (std::size_t c = 0; c < kKeyBlock; ++c) {
      std::vector<float> back(dim);
      unpack_key(block.data(), dim, c, back.data());
      EXPECT_EQ(back, keys[c]);
    }
    std::vector<float> q;
    for (std::size_t h = 0; h < heads; ++h) {
      const auto head = apart(values(dim), query_spread, random_);
      q.insert(q.end(), head.begin(), head.end());
    }
    std::vector<float> weights = values(heads);
    weights[between(0, heads - 1)] = 0;
    std::vector<std::uint8_t> room(PackedQuery::room_for(heads, dim));
    PackedQuery packed(heads, dim, room.data());
    std::vector<float> rounded = q;
    for (std::size_t h = 0; h < heads; ++h) round_index_row(rounded.data() + h * dim, dim);
    pack_query(q.data(), weights.data(), packed);
    EXPECT_TRUE(packed.whole || query_spread > PackedQuery::kQuerySpread);
    alignas(64) std::uint8_t scratch[kKeyBlock * 128];
    float want[kKeyBlock];
    (void)packed_scores_reference(packed, block.data(), 0.1F, want, scratch);
    for (std::size_t c = 0; c < kKeyBlock; ++c) {
      double exact = 0;
      double size = 0;
      for (std::size_t h = 0; h < heads; ++h) {
        double dot = 0;
        for (std::size_t i = 0; i < dim; ++i) dot += double{rounded[h * dim + i]} * keys[c][i];
        exact += weights[h] * std::max(dot, 0.0);
        size += std::fabs(weights[h]) * std::max(dot, 0.0);
      }
      EXPECT_NEAR(want[c], exact, 1e-6 * size);
    }
    EXPECT_TRUE(std::is_sorted(packed.weights, packed.weights + heads,
                               [](float a, float b) { return !(a < 0) && b < 0; }));
    float sorted[kKeyBlock];
    std::copy_n(want, kKeyBlock, sorted);
    std::sort(sorted, sorted + kKeyBlock);
    for (const auto kernel : packed_scores_kernels()) {
      for (const float threshold : {-INFINITY, 0.1F, sorted[3], sorted[14], sorted[15], sorted[16],
                                    sorted[28], sorted[kKeyBlock - 1]}) {
        expect_scores(kernel, packed, block, want, threshold);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FastPaths, testing::Range(0, 12));

}  // namespace
}  // namespace ambit::inference::ops
