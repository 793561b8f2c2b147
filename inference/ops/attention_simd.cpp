// The fast paths of attention_piece and index_scores: one source for SSE, AVX2, AVX-512 and NEON,
// chosen at run time by Highway. A dot product is always one vector accumulator over the dimension
// in order, so that its bits do not depend on the tile in which it was computed.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "inference/ops/index_scores.h"
#include "inference/ops/sparse_attention.h"

// Tiles are arrays of vectors, which types without a fixed size cannot form.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/ops/attention_simd.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>
// After highway.h, as its manual asks.
#include <hwy/contrib/math/math-inl.h>

#include "inference/ops/sum-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ambit::inference::ops::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// out[h][r] = q_h · row_r for kH heads and kR rows.
template <std::size_t kH, std::size_t kR>
HWY_INLINE void dot_tile(const float* q, std::size_t q_stride, const float* const* rows,
                         std::size_t dim, float* out, std::size_t out_stride) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  V acc[kH * kR];
  for (V& v : acc) v = hn::Zero(d);
  std::size_t i = 0;
  for (; i + n <= dim; i += n) {
    V row[kR];
    for (std::size_t r = 0; r < kR; ++r) row[r] = hn::LoadU(d, rows[r] + i);
    for (std::size_t h = 0; h < kH; ++h) {
      const V qv = hn::LoadU(d, q + h * q_stride + i);
      for (std::size_t r = 0; r < kR; ++r)
        acc[h * kR + r] = hn::MulAdd(qv, row[r], acc[h * kR + r]);
    }
  }
  float sums[kH * kR];
  sum_lanes<kH * kR>(acc, sums);
  for (std::size_t h = 0; h < kH; ++h) {
    for (std::size_t r = 0; r < kR; ++r) {
      float sum = sums[h * kR + r];
      for (std::size_t t = i; t < dim; ++t) sum += q[h * q_stride + t] * rows[r][t];
      out[h * out_stride + r] = sum;
    }
  }
}

// Heads whose weights are kept at a time.
constexpr std::size_t kAttentionHeads = 32;

// Heads of one tile: as many as there are registers for.
constexpr std::size_t kHeads = HWY_MAX_BYTES >= 64 ? 4 : 2;

template <std::size_t kR>
HWY_INLINE void dot_heads(const AttentionPiece& a, std::size_t r, float* p) {
  std::size_t h = 0;
  for (; h + kHeads <= a.heads; h += kHeads) {
    dot_tile<kHeads, kR>(a.q + h * a.dim, a.dim, a.rows + r, a.dim, p + h * kAttentionRows + r,
                         kAttentionRows);
  }
  for (; h < a.heads; ++h) {
    dot_tile<1, kR>(a.q + h * a.dim, a.dim, a.rows + r, a.dim, p + h * kAttentionRows + r,
                    kAttentionRows);
  }
}

// In place: p ← e^(p·scale - largest). Returns what the rows before these now weigh.
float weights_of(const AttentionPiece& a, std::size_t h, float* p) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const V scale = hn::Set(d, a.scale);
  std::size_t padded = a.n_rows;
  for (; padded % lanes != 0; ++padded) p[padded] = -1e30F;  // weighs nothing
  const float before = a.first ? -1e30F : a.largest[h];
  V largest = hn::Set(d, before);
  for (std::size_t i = 0; i < padded; i += lanes) {
    const V x = hn::Mul(hn::LoadU(d, p + i), scale);
    hn::StoreU(x, d, p + i);
    largest = hn::Max(largest, x);
  }
  a.largest[h] = hn::GetLane(hn::MaxOfLanes(d, largest));
  const V top = hn::Set(d, a.largest[h]);
  V sum = hn::Zero(d);
  for (std::size_t i = 0; i < padded; i += lanes) {
    const V e = hn::Exp(d, hn::Sub(hn::LoadU(d, p + i), top));
    hn::StoreU(e, d, p + i);
    sum = hn::Add(sum, e);
  }
  float more = 0;
  sum_lanes<1>(&sum, &more);
  const float old = a.first ? 0.0F : std::exp(before - a.largest[h]);
  a.sum[h] = a.first ? more : std::fma(a.sum[h], old, more);
  return old;
}

// out_h[at…] ← out_h[at…] old_h + Σ_r p[h, r] row_r[at…] for kH heads and kV vectors of the
// dimension.
template <std::size_t kH, std::size_t kV>
HWY_INLINE void weigh_tile(const AttentionPiece& a, std::size_t h, const float* p, const float* old,
                           std::size_t at) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  V acc[kH][kV];
  for (std::size_t j = 0; j < kH; ++j) {
    for (std::size_t v = 0; v < kV; ++v) acc[j][v] = hn::Zero(d);
  }
  if (!a.first) {
    for (std::size_t j = 0; j < kH; ++j) {
      const float* out = a.out + (h + j) * a.dim + at;
      const V weight = hn::Set(d, old[h + j]);
      for (std::size_t v = 0; v < kV; ++v) {
        acc[j][v] = hn::Mul(weight, hn::LoadU(d, out + v * n));
      }
    }
  }
  for (std::size_t r = 0; r < a.n_rows; ++r) {
    V row[kV];
    for (std::size_t v = 0; v < kV; ++v) row[v] = hn::LoadU(d, a.rows[r] + at + v * n);
    for (std::size_t j = 0; j < kH; ++j) {
      const V w = hn::Set(d, p[(h + j) * kAttentionRows + r]);
      for (std::size_t v = 0; v < kV; ++v) acc[j][v] = hn::MulAdd(w, row[v], acc[j][v]);
    }
  }
  for (std::size_t j = 0; j < kH; ++j) {
    for (std::size_t v = 0; v < kV; ++v) {
      hn::StoreU(acc[j][v], d, a.out + (h + j) * a.dim + at + v * n);
    }
  }
}

template <std::size_t kH>
HWY_INLINE void weigh_heads(const AttentionPiece& a, std::size_t h, const float* p,
                            const float* old) {
  const std::size_t n = hn::Lanes(D());
  std::size_t at = 0;
  for (; at + 4 * n <= a.dim; at += 4 * n) weigh_tile<kH, 4>(a, h, p, old, at);
  for (; at + n <= a.dim; at += n) weigh_tile<kH, 1>(a, h, p, old, at);
  for (; at < a.dim; ++at) {
    for (std::size_t j = 0; j < kH; ++j) {
      float sum = a.first ? 0.0F : a.out[(h + j) * a.dim + at] * old[h + j];
      for (std::size_t r = 0; r < a.n_rows; ++r) {
        sum += p[(h + j) * kAttentionRows + r] * a.rows[r][at];
      }
      a.out[(h + j) * a.dim + at] = sum;
    }
  }
}

void attention_piece(const AttentionPiece& a) {
  HWY_ALIGN float p[kAttentionHeads * kAttentionRows];
  for (std::size_t first = 0; first < a.heads; first += kAttentionHeads) {
    AttentionPiece some = a;
    some.heads = std::min(kAttentionHeads, a.heads - first);
    some.q += first * a.dim;
    some.out += first * a.dim;
    some.largest += first;
    some.sum += first;
    std::size_t r = 0;
    for (; r + 4 <= a.n_rows; r += 4) dot_heads<4>(some, r, p);
    for (; r < a.n_rows; ++r) dot_heads<1>(some, r, p);
    float old[kAttentionHeads];
    for (std::size_t h = 0; h < some.heads; ++h) {
      old[h] = weights_of(some, h, p + h * kAttentionRows);
    }
    std::size_t h = 0;
    for (; h + kHeads <= some.heads; h += kHeads) weigh_heads<kHeads>(some, h, p, old);
    for (; h < some.heads; ++h) weigh_heads<1>(some, h, p, old);
  }
}

void weighted(float* out, float old, const float* part, float more, std::size_t dim) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  const V o = hn::Set(d, old);
  const V m = hn::Set(d, more);
  std::size_t i = 0;
  for (; i + n <= dim; i += n) {
    const V added = hn::Mul(hn::LoadU(d, part + i), m);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, out + i), o, added), d, out + i);
  }
  for (; i < dim; ++i) out[i] = out[i] * old + part[i] * more;
}

// Scores of kV vectors of rows from `at` on.
template <std::size_t kV>
HWY_INLINE void score_rows(const IndexScoresArgs& a, std::size_t at) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  V sum[kV];
  for (std::size_t v = 0; v < kV; ++v) sum[v] = hn::Zero(d);
  const auto add = [&](std::size_t h, const V* dots) HWY_ATTR {
    const V w = hn::Set(d, a.weights[h]);
    for (std::size_t v = 0; v < kV; ++v) {
      sum[v] = hn::MulAdd(w, hn::Max(dots[v], hn::Zero(d)), sum[v]);
    }
  };
  std::size_t h = 0;
  for (; h + 2 <= a.heads; h += 2) {
    V first[kV];
    V second[kV];
    for (std::size_t v = 0; v < kV; ++v) first[v] = second[v] = hn::Zero(d);
    const float* q = a.q + h * a.dim;
    for (std::size_t i = 0; i < a.dim; ++i) {
      const V q1 = hn::Set(d, q[i]);
      const V q2 = hn::Set(d, q[a.dim + i]);
      for (std::size_t v = 0; v < kV; ++v) {
        const V key = hn::LoadU(d, a.keys + i * a.stride + at + v * n);
        first[v] = hn::MulAdd(q1, key, first[v]);
        second[v] = hn::MulAdd(q2, key, second[v]);
      }
    }
    add(h, first);
    add(h + 1, second);
  }
  if (h < a.heads) {
    V dots[kV];
    for (std::size_t v = 0; v < kV; ++v) dots[v] = hn::Zero(d);
    for (std::size_t i = 0; i < a.dim; ++i) {
      const V q1 = hn::Set(d, a.q[h * a.dim + i]);
      for (std::size_t v = 0; v < kV; ++v) {
        dots[v] = hn::MulAdd(q1, hn::LoadU(d, a.keys + i * a.stride + at + v * n), dots[v]);
      }
    }
    add(h, dots);
  }
  // The last vector may reach beyond the rows that are asked for.
  float last[HWY_MAX_BYTES / sizeof(float)];
  for (std::size_t v = 0; v < kV; ++v) {
    const std::size_t from = at + v * n;
    if (from + n <= a.rows) {
      hn::StoreU(sum[v], d, a.out + from);
    } else if (from < a.rows) {
      hn::StoreU(sum[v], d, last);
      std::copy_n(last, a.rows - from, a.out + from);
    }
  }
}

void scores(const IndexScoresArgs& a) {
  const std::size_t n = hn::Lanes(D());
  std::size_t at = 0;
  // Whole vectors only where the stride has room for them: a lane's arithmetic is the same in all.
  for (; at < a.rows && at + 4 * n <= a.stride; at += 4 * n) score_rows<4>(a, at);
  for (; at < a.rows && at + n <= a.stride; at += n) score_rows<1>(a, at);
  for (; at < a.rows; ++at) {
    float sum = 0;
    for (std::size_t h = 0; h < a.heads; ++h) {
      float dot = 0;
      for (std::size_t i = 0; i < a.dim; ++i) {
        dot = std::fma(a.q[h * a.dim + i], a.keys[i * a.stride + at], dot);
      }
      sum = std::fma(a.weights[h], std::max(dot, 0.0F), sum);
    }
    a.out[at] = sum;
  }
}

}  // namespace ambit::inference::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ambit::inference::ops {

HWY_EXPORT(attention_piece);
HWY_EXPORT(scores);
HWY_EXPORT(weighted);

void attention_piece_cpu(const AttentionPiece& args) {
  HWY_DYNAMIC_DISPATCH(attention_piece)(args);
}
void add_weighted(float* out, float old, const float* part, float more, std::size_t dim) {
  HWY_DYNAMIC_DISPATCH(weighted)(out, old, part, more, dim);
}
void index_scores_cpu(const IndexScoresArgs& args) {
  HWY_DYNAMIC_DISPATCH(scores)(args);
}

}  // namespace ambit::inference::ops
#endif
