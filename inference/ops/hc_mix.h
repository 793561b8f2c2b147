// Manifold-constrained hyper-connections (section 2.3): a sublayer reads a mixture of the n
// parallel residual streams and writes back to all of them; the stream-to-stream matrix is made
// doubly stochastic by Sinkhorn rounds. All fp32.
//
// For one token with streams x [n, D] and m [(2 + n)·n] = (fn · x) · rsqrt(mean(x²) + norm_eps),
// the mean over all n·D entries:
//   pre_j   = σ(m_j · scale_0 + base_j) + hc_eps
//   post_j  = 2 σ(m_{n+j} · scale_1 + base_{n+j})
//   c[j][k] = m_{2n+nj+k} · scale_2 + base_{2n+nj+k};  softmax over k, + hc_eps; divided by its
//             column sums + hc_eps; then (iterations - 1) times by row, then by column sums +
//             hc_eps
#pragma once

#include <cstddef>

namespace ambit::inference::ops {

inline constexpr std::size_t kMaxStreams = 8;

struct HcSplitArgs {
  const float* m = nullptr;      // [(2 + n) n]: fn · x, not yet normalised
  float inverse_rms = 0;         // rsqrt(mean(x²) + norm_eps)
  const float* base = nullptr;   // [(2 + n) n]
  const float* scale = nullptr;  // [3]
  std::size_t n = 4;             // streams, at most kMaxStreams
  int iterations = 20;
  float hc_eps = 0;
  float* pre = nullptr;   // [n]
  float* post = nullptr;  // [n]
  float* comb = nullptr;  // [n, n], as Sinkhorn leaves it
};
void hc_split(const HcSplitArgs& args);

// The head's collapse: pre_j = σ(m_j · inverse_rms · scale_0 + base_j) + hc_eps, j < n.
void hc_head_split(const float* m, float inverse_rms, const float* base, const float* scale,
                   std::size_t n, float hc_eps, float* pre);

// out [D] = Σ_j pre_j x_j.
void hc_collapse_reference(const float* streams, const float* pre, std::size_t n, std::size_t dim,
                           float* out);
void hc_collapse_cpu(const float* streams, const float* pre, std::size_t n, std::size_t dim,
                     float* out);

// streams_k ← post_k · f + Σ_j comb[j][k] · x_j, in place: the sum runs over the first index.
void hc_expand_reference(float* streams, const float* f, const float* post, const float* comb,
                         std::size_t n, std::size_t dim);
void hc_expand_cpu(float* streams, const float* f, const float* post, const float* comb,
                   std::size_t n, std::size_t dim);

}  // namespace ambit::inference::ops
