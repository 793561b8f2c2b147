// RMS norm (ops/norm.h). A block owns a row; a thread every kThreads-th element. Two passes over
// the row: the second comes from the cache. Shared memory: one float a warp.
#include <cuda_runtime.h>

#include "inference/ops/cuda/launch.h"
#include "inference/ops/cuda/warp.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;

__global__ void __launch_bounds__(kThreads)
    rms_norm_kernel(const float* x, std::size_t x_stride, const float* weight, float* out,
                    std::size_t out_stride, int dim, float eps) {
  __shared__ float partial[kWarps];
  const float* row = x + blockIdx.x * x_stride;
  float* to = out + blockIdx.x * out_stride;
  float sum = 0;
  for (int i = threadIdx.x; i < dim; i += kThreads) sum = fmaf(row[i], row[i], sum);
  sum = warp_sum(sum);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = sum;
  __syncthreads();
  // Every thread adds the same numbers in the same order.
  float all = 0;
#pragma unroll
  for (int i = 0; i < kWarps; ++i) all += partial[i];
  const float inverse = 1.0F / sqrtf(all / static_cast<float>(dim) + eps);
  for (int i = threadIdx.x; i < dim; i += kThreads) {
    const float value = row[i] * inverse;
    to[i] = weight != nullptr ? value * weight[i] : value;
  }
}

}  // namespace

LaunchError rms_norm(const RmsNormArgs& args, Stream stream) {
  if (args.dim == 0 || args.dim > 65536 || args.rows > 0x7FFFFFFFU) return LaunchError::kShape;
  if (args.rows == 0) return LaunchError::kNone;
  rms_norm_kernel<<<static_cast<unsigned>(args.rows), kThreads, 0, stream>>>(
      args.x, args.x_stride, args.weight, args.out, args.out_stride, static_cast<int>(args.dim),
      args.eps);
  return cudaGetLastError() == cudaSuccess ? LaunchError::kNone : LaunchError::kDevice;
}

}  // namespace ambit::inference::ops::cuda
