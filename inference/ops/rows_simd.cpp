// The fast paths of the ops that walk one row: RMS norm, pooling, SwiGLU, the stream mixtures, the
// unpacking of KV rows, and the choice of the largest scores.
// One source, chosen at run time by Highway; sums go lane by lane in a fixed order.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "inference/ops/compress.h"
#include "inference/ops/experts.h"
#include "inference/ops/hc_mix.h"
#include "inference/ops/norm.h"
#include "inference/ops/packed_rows.h"
#include "inference/ops/top_k.h"

// Tiles are arrays of vectors, which types without a fixed size cannot form.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/ops/rows_simd.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>
// After highway.h, as its manual asks.
#include <hwy/contrib/math/math-inl.h>

#include "inference/ops/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ambit::inference::ops::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

float inverse_rms(const float* x, std::size_t dim, float eps) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  V a = hn::Zero(d);
  V b = hn::Zero(d);
  std::size_t i = 0;
  for (; i + 2 * n <= dim; i += 2 * n) {
    const V u = hn::LoadU(d, x + i);
    const V v = hn::LoadU(d, x + i + n);
    a = hn::MulAdd(u, u, a);
    b = hn::MulAdd(v, v, b);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
  for (; i < dim; ++i) sum += x[i] * x[i];
  return 1.0F / std::sqrt(sum / static_cast<float>(dim) + eps);
}

void norm(const RmsNormArgs& a) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  for (std::size_t r = 0; r < a.rows; ++r) {
    const float* x = a.x + r * a.x_stride;
    float* out = a.out + r * a.out_stride;
    const float scale = inverse_rms(x, a.dim, a.eps);
    const V vscale = hn::Set(d, scale);
    std::size_t i = 0;
    for (; i + n <= a.dim; i += n) {
      V y = hn::Mul(hn::LoadU(d, x + i), vscale);
      if (a.weight != nullptr) y = hn::Mul(hn::LoadU(d, a.weight + i), y);
      hn::StoreU(y, d, out + i);
    }
    for (; i < a.dim; ++i) {
      const float y = x[i] * scale;
      out[i] = a.weight == nullptr ? y : a.weight[i] * y;
    }
  }
}

void compress(const CompressArgs& a) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + n <= a.dim; i += n) {
    V largest = hn::LoadU(d, a.scores[0] + i);
    for (std::size_t t = 1; t < a.n; ++t) {
      largest = hn::Max(largest, hn::LoadU(d, a.scores[t] + i));
    }
    V sum = hn::Zero(d);
    V weighted = hn::Zero(d);
    for (std::size_t t = 0; t < a.n; ++t) {
      const V e = hn::Exp(d, hn::Sub(hn::LoadU(d, a.scores[t] + i), largest));
      sum = hn::Add(sum, e);
      weighted = hn::MulAdd(e, hn::LoadU(d, a.values[t] + i), weighted);
    }
    hn::StoreU(hn::Div(weighted, sum), d, a.out + i);
  }
  for (; i < a.dim; ++i) {
    float largest = a.scores[0][i];
    for (std::size_t t = 1; t < a.n; ++t) largest = std::max(largest, a.scores[t][i]);
    float sum = 0;
    float weighted = 0;
    for (std::size_t t = 0; t < a.n; ++t) {
      const float e = std::exp(a.scores[t][i] - largest);
      sum += e;
      weighted += e * a.values[t][i];
    }
    a.out[i] = weighted / sum;
  }
}

void swiglu_row(const float* gate, const float* up, std::size_t count, float limit, float weight,
                float* out) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  const V one = hn::Set(d, 1.0F);
  const V top = hn::Set(d, limit);
  const V bottom = hn::Set(d, -limit);
  const V w = hn::Set(d, weight);
  std::size_t i = 0;
  for (; i + n <= count; i += n) {
    const V g = hn::Min(hn::LoadU(d, gate + i), top);
    const V u = hn::Max(hn::Min(hn::LoadU(d, up + i), top), bottom);
    const V s = hn::Div(g, hn::Add(one, hn::Exp(d, hn::Neg(g))));
    hn::StoreU(hn::Mul(hn::Mul(s, u), w), d, out + i);
  }
  for (; i < count; ++i) {
    const float g = std::min(gate[i], limit);
    const float u = std::clamp(up[i], -limit, limit);
    out[i] = g / (1.0F + std::exp(-g)) * u * weight;
  }
}

void collapse(const float* streams, const float* pre, std::size_t n, std::size_t dim, float* out) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    V y = hn::Mul(hn::Set(d, pre[0]), hn::LoadU(d, streams + i));
    for (std::size_t j = 1; j < n; ++j) {
      y = hn::MulAdd(hn::Set(d, pre[j]), hn::LoadU(d, streams + j * dim + i), y);
    }
    hn::StoreU(y, d, out + i);
  }
  for (; i < dim; ++i) {
    float y = pre[0] * streams[i];
    for (std::size_t j = 1; j < n; ++j) y += pre[j] * streams[j * dim + i];
    out[i] = y;
  }
}

void expand(float* streams, const float* f, const float* post, const float* comb, std::size_t n,
            std::size_t dim) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    V old[kMaxStreams];
    for (std::size_t j = 0; j < n; ++j) old[j] = hn::LoadU(d, streams + j * dim + i);
    const V fv = hn::LoadU(d, f + i);
    for (std::size_t k = 0; k < n; ++k) {
      V y = hn::Mul(hn::Set(d, post[k]), fv);
      for (std::size_t j = 0; j < n; ++j) y = hn::MulAdd(hn::Set(d, comb[j * n + k]), old[j], y);
      hn::StoreU(y, d, streams + k * dim + i);
    }
  }
  for (; i < dim; ++i) {
    float old[kMaxStreams];
    for (std::size_t j = 0; j < n; ++j) old[j] = streams[j * dim + i];
    for (std::size_t k = 0; k < n; ++k) {
      float y = post[k] * f[i];
      for (std::size_t j = 0; j < n; ++j) y += comb[j * n + k] * old[j];
      streams[k * dim + i] = y;
    }
  }
}

void unpack_kv_rows(const std::uint8_t* const* rows, std::size_t count, std::size_t dim,
                    std::size_t rope, float* out) {
  // Rows lie anywhere, which the processor cannot guess.
  constexpr std::size_t kAhead = 8;
  const std::size_t flat = dim - rope;
  const std::size_t bytes = kv_row_bytes(dim, rope);
  const auto fetch = [&](const std::uint8_t* row) {
    for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(row + i);
    __builtin_prefetch(row + bytes - 1);
  };
  for (std::size_t r = 0; r < std::min(kAhead, count); ++r) fetch(rows[r]);
  for (std::size_t r = 0; r < count; ++r, out += dim) {
    if (r + kAhead < count) fetch(rows[r + kAhead]);
    const std::uint8_t* row = rows[r];
    const std::uint8_t* scales = row + flat + 2 * rope;
    for (std::size_t at = 0; at < flat; at += 64) {
      unpack_fp8(row + at, std::min<std::size_t>(64, flat - at), e8m0_value(scales[at / 64]),
                 out + at);
    }
    unpack_bf16(row + flat, rope, out + flat);
  }
}

std::int32_t score_value(float score) {
  const float known = score != score ? -std::numeric_limits<float>::infinity() : score;
  const auto bits = std::bit_cast<std::int32_t>(known + 0.0F);  // no -0
  return bits < 0 ? bits ^ 0x7FFFFFFF : bits;
}

HWY_INLINE auto score_vector(V stored) {
  const D d;
  const hn::RebindToSigned<D> i32;
  const V score = hn::Add(stored, hn::Zero(d));
  const V lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  const auto bits = hn::BitCast(i32, hn::IfThenElse(hn::Eq(score, score), score, lowest));
  const auto magnitude = hn::And(hn::BroadcastSignBit(bits), hn::Set(i32, 0x7FFFFFFF));
  return hn::Xor(bits, magnitude);
}

std::size_t add_scores(const float* scores, std::uint32_t which, std::int32_t first,
                       std::int32_t* values, std::int32_t* indices) {
  const D d;
  const hn::RebindToSigned<D> i32;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t n = 0;
  for (std::size_t i = 0; i < 32; i += lanes) {
    const std::uint64_t bits = which >> i;
    const auto chosen = hn::LoadMaskBits(i32, reinterpret_cast<const std::uint8_t*>(&bits));
    const auto at = hn::Iota(i32, first + static_cast<std::int32_t>(i));
    hn::StoreU(hn::Compress(score_vector(hn::LoadU(d, scores + i)), chosen), i32, values + n);
    hn::StoreU(hn::Compress(at, chosen), i32, indices + n);
    n += hn::CountTrue(i32, chosen);
  }
  return n;
}

void score_values(const float* scores, std::size_t n, std::int32_t* values) {
  const D d;
  const hn::RebindToSigned<D> i32;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(score_vector(hn::LoadU(d, scores + i)), i32, values + i);
  }
  for (; i < n; ++i) values[i] = score_value(scores[i]);
}

std::size_t keep_at_least(std::int32_t* values, std::int32_t* indices, std::size_t n,
                          std::int32_t least) {
  const hn::ScalableTag<std::int32_t> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto below = hn::Set(d, least - 1);  // no score is the lowest integer
  std::size_t kept = 0;
  std::size_t i = 0;
  // A vector is read before what it is packed to is written, which is never further on. Packed in a
  // register, then stored whole: processors that pack into memory take a hundred cycles for it.
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, values + i);
    const auto at = hn::LoadU(d, indices + i);
    const auto keep = hn::Gt(v, below);
    hn::StoreU(hn::Compress(v, keep), d, values + kept);
    hn::StoreU(hn::Compress(at, keep), d, indices + kept);
    kept += hn::CountTrue(d, keep);
  }
  for (; i < n; ++i) {
    values[kept] = values[i];
    indices[kept] = indices[i];
    kept += values[i] >= least ? 1 : 0;
  }
  return kept;
}

std::size_t count_above(const std::int32_t* x, std::size_t n, std::int32_t bound) {
  const hn::ScalableTag<std::int32_t> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto limit = hn::Set(d, bound);
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) count += hn::CountTrue(d, hn::Gt(hn::LoadU(d, x + i), limit));
  for (; i < n; ++i) count += x[i] > bound ? 1 : 0;
  return count;
}

// By halving the range of values: a fixed number of passes without a branch to guess.
std::int32_t kth_largest(const std::int32_t* x, std::size_t n, std::size_t k) {
  std::int64_t low = INT32_MIN;  // at least k values are ≥ low
  std::int64_t high = INT32_MAX;
  while (low < high) {
    const std::int64_t middle = (low + high + 1) >> 1;
    if (count_above(x, n, static_cast<std::int32_t>(middle - 1)) >= k) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return static_cast<std::int32_t>(low);
}

}  // namespace ambit::inference::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ambit::inference::ops {

HWY_EXPORT(inverse_rms);
HWY_EXPORT(norm);
HWY_EXPORT(compress);
HWY_EXPORT(swiglu_row);
HWY_EXPORT(collapse);
HWY_EXPORT(expand);
HWY_EXPORT(unpack_kv_rows);
HWY_EXPORT(kth_largest);
HWY_EXPORT(score_values);
HWY_EXPORT(keep_at_least);
HWY_EXPORT(add_scores);

float inverse_rms_cpu(const float* x, std::size_t dim, float eps) {
  return HWY_DYNAMIC_DISPATCH(inverse_rms)(x, dim, eps);
}
void rms_norm_cpu(const RmsNormArgs& args) {
  HWY_DYNAMIC_DISPATCH(norm)(args);
}
void compress_cpu(const CompressArgs& args) {
  HWY_DYNAMIC_DISPATCH(compress)(args);
}
void swiglu_cpu(const float* gate, const float* up, std::size_t n, float limit, float weight,
                float* out) {
  HWY_DYNAMIC_DISPATCH(swiglu_row)(gate, up, n, limit, weight, out);
}
void hc_collapse_cpu(const float* streams, const float* pre, std::size_t n, std::size_t dim,
                     float* out) {
  HWY_DYNAMIC_DISPATCH(collapse)(streams, pre, n, dim, out);
}
void hc_expand_cpu(float* streams, const float* f, const float* post, const float* comb,
                   std::size_t n, std::size_t dim) {
  HWY_DYNAMIC_DISPATCH(expand)(streams, f, post, comb, n, dim);
}
void unpack_kv_rows_cpu(const std::uint8_t* const* rows, std::size_t n, std::size_t dim,
                        std::size_t rope, float* out) {
  HWY_DYNAMIC_DISPATCH(unpack_kv_rows)(rows, n, dim, rope, out);
}
void score_values(const float* scores, std::size_t n, std::int32_t* values) {
  HWY_DYNAMIC_DISPATCH(score_values)(scores, n, values);
}
std::size_t keep_at_least(std::int32_t* values, std::int32_t* indices, std::size_t n,
                          std::int32_t least) {
  return HWY_DYNAMIC_DISPATCH(keep_at_least)(values, indices, n, least);
}
std::size_t add_scores(const float* scores, std::uint32_t which, std::int32_t first,
                       std::int32_t* values, std::int32_t* indices) {
  return HWY_DYNAMIC_DISPATCH(add_scores)(scores, which, first, values, indices);
}
std::int32_t kth_largest(const std::int32_t* values, std::size_t n, std::size_t k) {
  return HWY_DYNAMIC_DISPATCH(kth_largest)(values, n, k);
}

}  // namespace ambit::inference::ops
#endif
