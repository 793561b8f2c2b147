// What every kernel here shares: sums over a warp and a block in a fixed order.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "inference/ops/cuda/launch.h"

namespace ambit::inference::ops::cuda {

inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;
inline constexpr int kWarp = 32;

// The sum over the warp, in every lane.
__device__ inline float warp_sum(float value) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, step);
  }
  return value;
}

// The largest over each run of `lanes` neighbouring lanes (a power of two).
template <int lanes>
__device__ inline float group_max(float value) {
#pragma unroll
  for (int step = lanes / 2; step > 0; step /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  return value;
}

// Sums each of N values over the warp with N - 1 + log2(32 / N) shuffles: every step halves the
// values that a lane carries. Lane l ends with the sum of value l / (32 / N). kLast: the sums are
// over the lanes that have their number below kLast in common.
template <int N, int kStep = kWarp / 2, int kLast = 1>
__device__ inline float warp_sums(const float (&v)[N]) {
  if constexpr (N == 1) {
    float sum = v[0];
#pragma unroll
    for (int step = kStep; step >= kLast; step /= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
    return sum;
  } else {
    const bool upper = (threadIdx.x & static_cast<unsigned>(kStep)) != 0;
    float half[N / 2];
#pragma unroll
    for (int i = 0; i < N / 2; ++i) {
      const float send = upper ? v[i] : v[i + N / 2];
      const float keep = upper ? v[i + N / 2] : v[i];
      half[i] = keep + __shfl_xor_sync(kAllLanes, send, kStep);
    }
    return warp_sums<N / 2, kStep / 2, kLast>(half);
  }
}

// The sum over a block of kThreads, in every thread. partial: shared, one float a warp. Two
// barriers: partial may be used again at once.
template <int kThreads>
__device__ inline float block_sum(float value, float* partial) {
  value = warp_sum(value);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  float all = 0;
#pragma unroll
  for (int i = 0; i < kThreads / kWarp; ++i) all += partial[i];
  __syncthreads();
  return all;
}

__device__ inline float4 load4(const float* p) {
  return *reinterpret_cast<const float4*>(p);
}
__device__ inline void store4(float* p, float4 v) {
  *reinterpret_cast<float4*>(p) = v;
}

inline LaunchError launched() {
  return cudaGetLastError() == cudaSuccess ? LaunchError::kNone : LaunchError::kDevice;
}

// Whether the card lets a kernel start while the one before it ends (compute capability 9.0 and
// up); set when the card is taken into use.
inline bool overlapping = false;

// Launches a kernel that begins with await_before(): where the card can, its blocks take their
// places while the last blocks of the kernel before still run.
template <class Args>
LaunchError launch(void (*kernel)(Args), dim3 grid, int threads, std::size_t shared, Stream stream,
                   const Args& args) {
  cudaLaunchAttribute early;
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = overlapping ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, args) == cudaSuccess ? LaunchError::kNone
                                                                  : LaunchError::kDevice;
}

// Lets the next kernel's blocks come, and waits for all that the kernels before have written. What
// stands ahead of it may read only what no kernel of a step writes: weights, and the step's
// positions, segments and page addresses, which are there before its first kernel.
__device__ inline void await_before() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Asks for n weights that this kernel reads after its wait: by then they have come from memory, for
// which a lone reader waits longer than many of these kernels compute. By the whole block; null:
// none.
template <class T>
__device__ inline void expect(const T* weights, std::size_t n) {
#if __CUDA_ARCH__ >= 900
  if (weights == nullptr) return;
  constexpr std::size_t kLine = 128;
  const auto* from = reinterpret_cast<const char*>(weights);
  for (std::size_t at = threadIdx.x * kLine; at < n * sizeof(T); at += blockDim.x * kLine) {
    asm volatile("prefetch.global.L2 [%0];" ::"l"(from + at));
  }
#endif
}

inline bool aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
}

}  // namespace ambit::inference::ops::cuda
