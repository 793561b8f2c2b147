// Decode-sized products (ops/gemm.h). A warp owns a row of w and reads it once, 16 bytes a lane at
// a time, for up to kRows rows of x; a block is kWarps such warps. x comes through the cache: it is
// small and every warp reads the same. No shared memory, no barrier.
//
// A lane's 16 bytes are 16 FP8 values (the warp's step is 512 columns, so a lane stays inside one
// 128-column block) or 32 FP4 values (exactly one scale group). Sums are fp32: per lane in column
// order, then over the warp in a fixed order, so a row of y does not depend on the number of rows.
#include <cuda_runtime.h>

#include "inference/ops/cuda/launch.h"
#include "inference/ops/cuda/warp.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kWarps = 4;
constexpr int kRows = 8;
constexpr int kThreads = kWarps * kWarp;
constexpr int kBlock = 128;  // of FP8 scales, both ways
constexpr int kGroup = 32;   // of FP4 scales

struct Job {
  const std::uint8_t* w;
  const std::uint8_t* scales;
  const float* x;
  float* y;
  std::size_t x_stride, y_stride;
  int first, count, cols;
};

// S EEEE MMM, bias 7, no infinities; 0x7F and 0xFF are NaN.
__device__ inline float e4m3(unsigned byte) {
  const unsigned sign = (byte & 0x80U) << 24;
  const unsigned rest = byte & 0x7FU;
  if (rest == 0x7FU) return __uint_as_float(sign | 0x7FC00000U);
  // Placed at fp32's exponent the value is 2^-120 too small; the product also mends subnormals.
  const float small = __uint_as_float(rest << 20);
  return __uint_as_float(__float_as_uint(small * 0x1p120F) | sign);
}

// S EE M, bias 1: 0, 0.5, 1, 1.5, 2, 3, 4, 6.
__device__ inline float e2m1(unsigned nibble) {
  const unsigned sign = (nibble & 8U) << 28;
  const float small = __uint_as_float((nibble & 7U) << 22);
  return __uint_as_float(__float_as_uint(small * 0x1p126F) | sign);
}

struct Fp8 {
  static constexpr int kStep = 16;  // values in 16 bytes
  __device__ static const std::uint8_t* row(const Job& job, int row) {
    return job.w + static_cast<std::size_t>(row) * job.cols;
  }
  __device__ static float scale(const Job& job, int row, int col) {
    const int per_row = job.cols / kBlock;
    return e8m0(job.scales[static_cast<std::size_t>(row / kBlock) * per_row + col / kBlock]);
  }
  __device__ static void unpack(uint4 bytes, float (&out)[kStep]) {
    const unsigned words[4] = {bytes.x, bytes.y, bytes.z, bytes.w};
#pragma unroll
    for (int i = 0; i < kStep; ++i) out[i] = e4m3(words[i / 4] >> (8 * (i % 4)) & 0xFFU);
  }
};

struct Fp4 {
  static constexpr int kStep = 32;
  __device__ static const std::uint8_t* row(const Job& job, int row) {
    return job.w + static_cast<std::size_t>(row) * (job.cols / 2);
  }
  __device__ static float scale(const Job& job, int row, int col) {
    return e8m0(job.scales[static_cast<std::size_t>(row) * (job.cols / kGroup) + col / kGroup]);
  }
  __device__ static void unpack(uint4 bytes, float (&out)[kStep]) {
    const unsigned words[4] = {bytes.x, bytes.y, bytes.z, bytes.w};
#pragma unroll
    for (int i = 0; i < kStep; ++i) out[i] = e2m1(words[i / 8] >> (4 * (i % 8)) & 0xFU);
  }
};

template <class Format, int N>
__global__ void __launch_bounds__(kThreads) gemv_kernel(Job job) {
  const int lane = threadIdx.x % kWarp;
  const int r = blockIdx.x * kWarps + threadIdx.x / kWarp;
  if (r >= job.count) return;  // whole warps leave together
  const std::uint8_t* w = Format::row(job, job.first + r);
  float sums[N] = {};
  for (int col = lane * Format::kStep; col < job.cols; col += kWarp * Format::kStep) {
    const uint4 bytes = *reinterpret_cast<const uint4*>(w + col * 16 / Format::kStep);
    float values[Format::kStep];
    Format::unpack(bytes, values);
    const float scale = Format::scale(job, job.first + r, col);
#pragma unroll
    for (int n = 0; n < N; ++n) {
      const float* x = job.x + n * job.x_stride + col;
      float sum = 0;
#pragma unroll
      for (int i = 0; i < Format::kStep; i += 4) {
        const float4 four = *reinterpret_cast<const float4*>(x + i);
        sum = fmaf(values[i], four.x, sum);
        sum = fmaf(values[i + 1], four.y, sum);
        sum = fmaf(values[i + 2], four.z, sum);
        sum = fmaf(values[i + 3], four.w, sum);
      }
      sums[n] = fmaf(sum, scale, sums[n]);
    }
  }
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const float sum = warp_sum(sums[n]);
    if (lane == 0) job.y[n * job.y_stride + r] = sum;
  }
}

template <class Format>
void launch_rows(Job job, std::size_t n, Stream stream) {
  const unsigned blocks = static_cast<unsigned>((job.count + kWarps - 1) / kWarps);
  for (; n >= kRows; n -= kRows) {
    gemv_kernel<Format, kRows><<<blocks, kThreads, 0, stream>>>(job);
    job.x += kRows * job.x_stride;
    job.y += kRows * job.y_stride;
  }
  for (; n > 0; --n) {
    gemv_kernel<Format, 1><<<blocks, kThreads, 0, stream>>>(job);
    job.x += job.x_stride;
    job.y += job.y_stride;
  }
}

bool aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
}

}  // namespace

LaunchError gemv(const GemmArgs& args, Stream stream) {
  const Matrix& w = *args.w;
  if (w.type != MatrixType::kFp8Block128 && w.type != MatrixType::kFp4Group32) {
    return LaunchError::kUnsupported;
  }
  if (w.cols % kBlock != 0 || w.cols > (1U << 24) || args.first + args.count > w.rows ||
      w.rows > (1U << 24) || args.x_stride % 4 != 0 || !aligned(w.data) || !aligned(args.x)) {
    return LaunchError::kShape;
  }
  if (args.count == 0 || args.n == 0) return LaunchError::kNone;
  const Job job{reinterpret_cast<const std::uint8_t*>(w.data),
                w.scales,
                args.x,
                args.y,
                args.x_stride,
                args.y_stride,
                static_cast<int>(args.first),
                static_cast<int>(args.count),
                static_cast<int>(w.cols)};
  if (w.type == MatrixType::kFp8Block128) {
    launch_rows<Fp8>(job, args.n, stream);
  } else {
    launch_rows<Fp4>(job, args.n, stream);
  }
  return cudaGetLastError() == cudaSuccess ? LaunchError::kNone : LaunchError::kDevice;
}

}  // namespace ambit::inference::ops::cuda
