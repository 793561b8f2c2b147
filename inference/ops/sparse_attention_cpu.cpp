#include <algorithm>
#include <cmath>

#include "inference/ops/sparse_attention.h"

namespace ambit::inference::ops {

void sparse_attention_reference(const SparseAttentionArgs& a) {
  for (std::size_t h = 0; h < a.heads; ++h) {
    const float* q = a.q + h * a.dim;
    float* p = a.scratch + h * a.n_rows;
    float largest = a.sink[h];
    for (std::size_t r = 0; r < a.n_rows; ++r) {
      float dot = 0;
      for (std::size_t i = 0; i < a.dim; ++i) dot += q[i] * a.rows[r][i];
      p[r] = dot * a.scale;
      largest = std::max(largest, p[r]);
    }
    float sum = std::exp(a.sink[h] - largest);
    for (std::size_t r = 0; r < a.n_rows; ++r) {
      p[r] = std::exp(p[r] - largest);
      sum += p[r];
    }
    float* out = a.out + h * a.dim;
    std::fill_n(out, a.dim, 0.0F);
    for (std::size_t r = 0; r < a.n_rows; ++r) {
      for (std::size_t i = 0; i < a.dim; ++i) out[i] += p[r] * a.rows[r][i];
    }
    for (std::size_t i = 0; i < a.dim; ++i) out[i] /= sum;
  }
}

void attention_piece_reference(const AttentionPiece& a) {
  for (std::size_t h = 0; h < a.heads; ++h) {
    const float* q = a.q + h * a.dim;
    float p[kAttentionRows];
    float largest = a.first ? -INFINITY : a.largest[h];
    for (std::size_t r = 0; r < a.n_rows; ++r) {
      float dot = 0;
      for (std::size_t i = 0; i < a.dim; ++i) dot += q[i] * a.rows[r][i];
      p[r] = dot * a.scale;
      largest = std::max(largest, p[r]);
    }
    float* out = a.out + h * a.dim;
    const float old = a.first ? 0.0F : std::exp(a.largest[h] - largest);
    for (std::size_t i = 0; i < a.dim; ++i) out[i] = a.first ? 0.0F : out[i] * old;
    float sum = a.first ? 0.0F : a.sum[h] * old;
    for (std::size_t r = 0; r < a.n_rows; ++r) {
      const float e = std::exp(p[r] - largest);
      sum += e;
      for (std::size_t i = 0; i < a.dim; ++i) out[i] += e * a.rows[r][i];
    }
    a.largest[h] = largest;
    a.sum[h] = sum;
  }
}

void AttentionFold::add(const float* part, float part_largest, float part_sum) {
  const float top = std::max(largest, part_largest);
  const float old = std::exp(largest - top);
  const float more = std::exp(part_largest - top);
  sum = sum * old + part_sum * more;
  add_weighted(out, old, part, more, dim);
  largest = top;
}

void AttentionFold::finish() const {
  const float inverse = 1.0F / sum;
  for (std::size_t i = 0; i < dim; ++i) out[i] *= inverse;
}

}  // namespace ambit::inference::ops
