// The fast paths of sparse_attention and index_scores: one source for SSE, AVX2, AVX-512 and NEON,
// chosen at run time by Highway. A dot product is always one vector accumulator over the dimension
// in order, so that its bits do not depend on the tile in which it was computed.
#include <algorithm>
#include <cmath>

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

HWY_BEFORE_NAMESPACE();
namespace ambit::inference::ops::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// dots[h][r] = q_h · row_r for kH heads and kR rows.
template <std::size_t kH, std::size_t kR>
HWY_INLINE void dot_tile(const float* q, std::size_t q_stride, const float* const* rows,
                         std::size_t dim, float* out, std::size_t out_stride) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  V acc[kH][kR];
  for (std::size_t h = 0; h < kH; ++h) {
    for (std::size_t r = 0; r < kR; ++r) acc[h][r] = hn::Zero(d);
  }
  std::size_t i = 0;
  for (; i + n <= dim; i += n) {
    V row[kR];
    for (std::size_t r = 0; r < kR; ++r) row[r] = hn::LoadU(d, rows[r] + i);
    for (std::size_t h = 0; h < kH; ++h) {
      const V qv = hn::LoadU(d, q + h * q_stride + i);
      for (std::size_t r = 0; r < kR; ++r) acc[h][r] = hn::MulAdd(qv, row[r], acc[h][r]);
    }
  }
  for (std::size_t h = 0; h < kH; ++h) {
    for (std::size_t r = 0; r < kR; ++r) {
      float sum = hn::GetLane(hn::SumOfLanes(d, acc[h][r]));
      for (std::size_t t = i; t < dim; ++t) sum += q[h * q_stride + t] * rows[r][t];
      out[h * out_stride + r] = sum;
    }
  }
}

template <std::size_t kR>
HWY_INLINE void dot_heads(const float* q, std::size_t heads, std::size_t dim,
                          const float* const* rows, float* out, std::size_t out_stride) {
  std::size_t h = 0;
  for (; h + 2 <= heads; h += 2) {
    dot_tile<2, kR>(q + h * dim, dim, rows, dim, out + h * out_stride, out_stride);
  }
  if (h < heads) dot_tile<1, kR>(q + h * dim, dim, rows, dim, out + h * out_stride, out_stride);
}

// p[h, r] = q_h · row_r for all rows; p has `stride` floats a head.
void all_dots(const float* q, std::size_t heads, std::size_t dim, const float* const* rows,
              std::size_t n_rows, float* p, std::size_t stride) {
  std::size_t r = 0;
  for (; r + 4 <= n_rows; r += 4) dot_heads<4>(q, heads, dim, rows + r, p + r, stride);
  for (; r < n_rows; ++r) dot_heads<1>(q, heads, dim, rows + r, p + r, stride);
}

// In place: p ← e^(p·scale - max); returns 1 / (Σ + e^(sink - max)).
float softmax(float* p, std::size_t n, float scale, float sink) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const V vscale = hn::Set(d, scale);
  V vmax = hn::Set(d, sink);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V x = hn::Mul(hn::LoadU(d, p + i), vscale);
    hn::StoreU(x, d, p + i);
    vmax = hn::Max(vmax, x);
  }
  float largest = hn::GetLane(hn::MaxOfLanes(d, vmax));
  for (std::size_t t = i; t < n; ++t) {
    p[t] *= scale;
    largest = std::max(largest, p[t]);
  }
  const V vlargest = hn::Set(d, largest);
  V vsum = hn::Zero(d);
  i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V e = hn::Exp(d, hn::Sub(hn::LoadU(d, p + i), vlargest));
    hn::StoreU(e, d, p + i);
    vsum = hn::Add(vsum, e);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, vsum)) + std::exp(sink - largest);
  for (; i < n; ++i) {
    p[i] = std::exp(p[i] - largest);
    sum += p[i];
  }
  return 1.0F / sum;
}

// out_h[i…] = (Σ_r p[h, r] row_r[i…]) · inverse_h for kH heads and kV vectors of the dimension.
template <std::size_t kH, std::size_t kV>
HWY_INLINE void weigh_tile(const float* p, std::size_t stride, const float* const* rows,
                           std::size_t n_rows, std::size_t at, const float* inverse, float* out,
                           std::size_t dim) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  V acc[kH][kV];
  for (std::size_t h = 0; h < kH; ++h) {
    for (std::size_t v = 0; v < kV; ++v) acc[h][v] = hn::Zero(d);
  }
  for (std::size_t r = 0; r < n_rows; ++r) {
    V row[kV];
    for (std::size_t v = 0; v < kV; ++v) row[v] = hn::LoadU(d, rows[r] + at + v * n);
    for (std::size_t h = 0; h < kH; ++h) {
      const V w = hn::Set(d, p[h * stride + r]);
      for (std::size_t v = 0; v < kV; ++v) acc[h][v] = hn::MulAdd(w, row[v], acc[h][v]);
    }
  }
  for (std::size_t h = 0; h < kH; ++h) {
    const V scale = hn::Set(d, inverse[h]);
    for (std::size_t v = 0; v < kV; ++v) {
      hn::StoreU(hn::Mul(acc[h][v], scale), d, out + h * dim + at + v * n);
    }
  }
}

template <std::size_t kH>
HWY_INLINE void weigh_heads(const float* p, std::size_t stride, const float* const* rows,
                            std::size_t n_rows, const float* inverse, float* out, std::size_t dim) {
  const std::size_t n = hn::Lanes(D());
  std::size_t at = 0;
  for (; at + 4 * n <= dim; at += 4 * n) {
    weigh_tile<kH, 4>(p, stride, rows, n_rows, at, inverse, out, dim);
  }
  for (; at + n <= dim; at += n) {
    weigh_tile<kH, 1>(p, stride, rows, n_rows, at, inverse, out, dim);
  }
  for (; at < dim; ++at) {
    for (std::size_t h = 0; h < kH; ++h) {
      float sum = 0;
      for (std::size_t r = 0; r < n_rows; ++r) sum += p[h * stride + r] * rows[r][at];
      out[h * dim + at] = sum * inverse[h];
    }
  }
}

void attention(const SparseAttentionArgs& a) {
  all_dots(a.q, a.heads, a.dim, a.rows, a.n_rows, a.scratch, a.n_rows);
  std::size_t h = 0;
  float inverse[2];
  for (; h < a.heads; h += 2) {
    const std::size_t count = std::min<std::size_t>(2, a.heads - h);
    float* p = a.scratch + h * a.n_rows;
    for (std::size_t j = 0; j < count; ++j) {
      inverse[j] = softmax(p + j * a.n_rows, a.n_rows, a.scale, a.sink[h + j]);
    }
    if (count == 2) {
      weigh_heads<2>(p, a.n_rows, a.rows, a.n_rows, inverse, a.out + h * a.dim, a.dim);
    } else {
      weigh_heads<1>(p, a.n_rows, a.rows, a.n_rows, inverse, a.out + h * a.dim, a.dim);
    }
  }
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

HWY_EXPORT(attention);
HWY_EXPORT(scores);

void sparse_attention_cpu(const SparseAttentionArgs& args) {
  HWY_DYNAMIC_DISPATCH(attention)(args);
}
void index_scores_cpu(const IndexScoresArgs& args) {
  HWY_DYNAMIC_DISPATCH(scores)(args);
}

}  // namespace ambit::inference::ops
#endif
