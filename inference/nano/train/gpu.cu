// Sinkhorn's rounds over the streams' 4x4 mixing matrices, one matrix a thread: `plain` of
// sinkhorn.py, forward and backward. torch.compile makes some forty kernels of it, which cost more
// than the mixing itself. comb, grad, out: [n][from][to], fp32. Returns the CUDA error code. Plain
// C++ where __CUDACC__ is not defined.

#include <cstdint>

#ifdef __CUDACC__
#define BOTH __host__ __device__
#else
#define BOTH
#endif

namespace {

constexpr int kS = 4, kMost = 64;  // streams, rounds at most

// Divides columns (sums over `from`) or rows by their sum + eps; `sums` keeps the divisors.
BOTH inline void normalise(float m[kS][kS], bool columns, float eps, float sums[kS]) {
#pragma unroll
  for (int i = 0; i < kS; ++i) {
    float sum = eps;
#pragma unroll
    for (int j = 0; j < kS; ++j) sum += columns ? m[j][i] : m[i][j];
    sums[i] = sum;
    const float inverse = 1.0f / sum;
#pragma unroll
    for (int j = 0; j < kS; ++j) (columns ? m[j][i] : m[i][j]) *= inverse;
  }
}

// g becomes the gradient before the division, m the matrix before it.
BOTH inline void undo(float m[kS][kS], float g[kS][kS], bool columns, const float sums[kS]) {
#pragma unroll
  for (int i = 0; i < kS; ++i) {
    float dot = 0, inverse = 1.0f / sums[i];
#pragma unroll
    for (int j = 0; j < kS; ++j) dot += columns ? g[j][i] * m[j][i] : g[i][j] * m[i][j];
#pragma unroll
    for (int j = 0; j < kS; ++j) {
      float& gradient = columns ? g[j][i] : g[i][j];
      gradient = (gradient - dot) * inverse;
      (columns ? m[j][i] : m[i][j]) *= sums[i];
    }
  }
}

BOTH inline void forward_one(const float* in, int rounds, float eps, float* out) {
  float m[kS][kS], sums[kS];
#pragma unroll
  for (int i = 0; i < kS * kS; ++i) m[i / kS][i % kS] = in[i];
  normalise(m, true, eps, sums);
  for (int r = 1; r < rounds; ++r) {
    normalise(m, false, eps, sums);
    normalise(m, true, eps, sums);
  }
#pragma unroll
  for (int i = 0; i < kS * kS; ++i) out[i] = m[i / kS][i % kS];
}

BOTH inline void backward_one(const float* in, const float* grad, int rounds, float eps,
                              float* out) {
  float m[kS][kS], g[kS][kS], sums[2 * kMost][kS];
#pragma unroll
  for (int i = 0; i < kS * kS; ++i) {
    m[i / kS][i % kS] = in[i];
    g[i / kS][i % kS] = grad[i];
  }
  normalise(m, true, eps, sums[0]);
  for (int r = 1; r < rounds; ++r) {
    normalise(m, false, eps, sums[2 * r - 1]);
    normalise(m, true, eps, sums[2 * r]);
  }
  for (int r = rounds - 1; r > 0; --r) {
    undo(m, g, true, sums[2 * r]);
    undo(m, g, false, sums[2 * r - 1]);
  }
  undo(m, g, true, sums[0]);
#pragma unroll
  for (int i = 0; i < kS * kS; ++i) out[i] = g[i / kS][i % kS];
}

#ifdef __CUDACC__
__global__ void forward_kernel(int64_t n, int rounds, float eps, const float* in, float* out) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) forward_one(in + i * kS * kS, rounds, eps, out + i * kS * kS);
}

__global__ void backward_kernel(int64_t n, int rounds, float eps, const float* in,
                                const float* grad, float* out) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) backward_one(in + i * kS * kS, grad + i * kS * kS, rounds, eps, out + i * kS * kS);
}
#endif

}  // namespace

extern "C" {

#ifdef __CUDACC__
int sinkhorn_forward(int64_t n, int64_t rounds, float eps, const float* in, float* out,
                     cudaStream_t stream) {
  forward_kernel<<<(n + 127) / 128, 128, 0, stream>>>(n, int(rounds), eps, in, out);
  return cudaGetLastError();
}

int sinkhorn_backward(int64_t n, int64_t rounds, float eps, const float* in, const float* grad,
                      float* out, cudaStream_t stream) {
  if (rounds > kMost) return cudaErrorInvalidValue;
  backward_kernel<<<(n + 127) / 128, 128, 0, stream>>>(n, int(rounds), eps, in, grad, out);
  return cudaGetLastError();
}
#else
int sinkhorn_forward(int64_t n, int64_t rounds, float eps, const float* in, float* out, void*) {
  for (int64_t i = 0; i < n; ++i)
    forward_one(in + i * kS * kS, int(rounds), eps, out + i * kS * kS);
  return 0;
}

int sinkhorn_backward(int64_t n, int64_t rounds, float eps, const float* in, const float* grad,
                      float* out, void*) {
  if (rounds > kMost) return 1;
  for (int64_t i = 0; i < n; ++i)
    backward_one(in + i * kS * kS, grad + i * kS * kS, int(rounds), eps, out + i * kS * kS);
  return 0;
}
#endif
}
