#include "inference/ops/hc_mix.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ambit::inference::ops {
namespace {

float sigmoid(float x) {
  return 1.0F / (1.0F + std::exp(-x));
}

void divide_by_row_sums(float* c, std::size_t n, float eps) {
  for (std::size_t j = 0; j < n; ++j) {
    float sum = 0;
    for (std::size_t k = 0; k < n; ++k) sum += c[j * n + k];
    for (std::size_t k = 0; k < n; ++k) c[j * n + k] /= sum + eps;
  }
}

void divide_by_column_sums(float* c, std::size_t n, float eps) {
  std::array<float, kMaxStreams> sum{};
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t k = 0; k < n; ++k) sum[k] += c[j * n + k];
  }
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t k = 0; k < n; ++k) c[j * n + k] /= sum[k] + eps;
  }
}

}  // namespace

void hc_split(const HcSplitArgs& a) {
  const std::size_t n = a.n;
  for (std::size_t j = 0; j < n; ++j) {
    a.pre[j] = sigmoid(a.m[j] * a.inverse_rms * a.scale[0] + a.base[j]) + a.hc_eps;
    a.post[j] = 2.0F * sigmoid(a.m[n + j] * a.inverse_rms * a.scale[1] + a.base[n + j]);
  }
  float* c = a.comb;
  for (std::size_t j = 0; j < n; ++j) {
    float largest = -INFINITY;
    for (std::size_t k = 0; k < n; ++k) {
      const std::size_t i = 2 * n + j * n + k;
      c[j * n + k] = a.m[i] * a.inverse_rms * a.scale[2] + a.base[i];
      largest = std::max(largest, c[j * n + k]);
    }
    float sum = 0;
    for (std::size_t k = 0; k < n; ++k) {
      c[j * n + k] = std::exp(c[j * n + k] - largest);
      sum += c[j * n + k];
    }
    for (std::size_t k = 0; k < n; ++k) c[j * n + k] = c[j * n + k] / sum + a.hc_eps;
  }
  divide_by_column_sums(c, n, a.hc_eps);
  for (int round = 1; round < a.iterations; ++round) {
    divide_by_row_sums(c, n, a.hc_eps);
    divide_by_column_sums(c, n, a.hc_eps);
  }
}

void hc_head_split(const float* m, float inverse_rms, const float* base, const float* scale,
                   std::size_t n, float hc_eps, float* pre) {
  for (std::size_t j = 0; j < n; ++j) {
    pre[j] = sigmoid(m[j] * inverse_rms * scale[0] + base[j]) + hc_eps;
  }
}

void hc_collapse_reference(const float* streams, const float* pre, std::size_t n, std::size_t dim,
                           float* out) {
  for (std::size_t i = 0; i < dim; ++i) out[i] = pre[0] * streams[i];
  for (std::size_t j = 1; j < n; ++j) {
    const float* x = streams + j * dim;
    for (std::size_t i = 0; i < dim; ++i) out[i] += pre[j] * x[i];
  }
}

void hc_expand_reference(float* streams, const float* f, const float* post, const float* comb,
                         std::size_t n, std::size_t dim) {
  // A block of columns at a time, so that the old streams of the block fit in registers and cache.
  constexpr std::size_t kBlock = 64;
  std::array<float, kMaxStreams * kBlock> old{};
  for (std::size_t from = 0; from < dim; from += kBlock) {
    const std::size_t count = std::min(kBlock, dim - from);
    for (std::size_t j = 0; j < n; ++j) {
      std::copy_n(streams + j * dim + from, count, old.data() + j * kBlock);
    }
    for (std::size_t k = 0; k < n; ++k) {
      float* out = streams + k * dim + from;
      for (std::size_t i = 0; i < count; ++i) out[i] = post[k] * f[from + i];
      for (std::size_t j = 0; j < n; ++j) {
        const float w = comb[j * n + k];
        const float* x = old.data() + j * kBlock;
        for (std::size_t i = 0; i < count; ++i) out[i] += w * x[i];
      }
    }
  }
}

}  // namespace ambit::inference::ops
