// RMS norm (ops/norm.h), and a row as it is, in the forms that products read. A block owns a row;
// its warps take 128 columns in turn, 4 a lane. The row is read twice, the second time from the
// cache. Shared memory: one float a warp. Two barriers.
#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kThreads = 512;

template <bool kNormed>
__global__ void __launch_bounds__(kThreads) norm_kernel(const NormArgs a) {
  expect(a.weight, a.out.cols);
  await_before();
  __shared__ float partial[kThreads / kWarp];
  const std::size_t row = blockIdx.x;
  const int dim = static_cast<int>(a.out.cols);
  const float* x = a.x + row * a.out.cols;
  float inverse = 1;
  if (kNormed) {
    float sum = 0;
    for (int col = 4 * static_cast<int>(threadIdx.x); col < dim; col += 4 * kThreads) {
      const float4 v = load4(x + col);
      sum = fmaf(v.x, v.x, sum);
      sum = fmaf(v.y, v.y, sum);
      sum = fmaf(v.z, v.z, sum);
      sum = fmaf(v.w, v.w, sum);
    }
    sum = block_sum<kThreads>(sum, partial);
    inverse = 1.0F / sqrtf(sum / static_cast<float>(dim) + a.eps);
  }
  store_row(a.out, row, [&](int col) {
    float4 v = load4(x + col);
    if (kNormed) v = make_float4(v.x * inverse, v.y * inverse, v.z * inverse, v.w * inverse);
    if (a.weight != nullptr) {
      const float4 w = load4(a.weight + col);
      v = make_float4(w.x * v.x, w.y * v.y, w.z * v.z, w.w * v.w);
    }
    return v;
  });
}

template <bool kNormed>
LaunchError normed(const NormArgs& args, Stream stream) {
  if (args.out.cols == 0 || args.out.cols > 1U << 20 || args.out.cols % 4 != 0 ||
      args.rows > 0x7FFFFFFFU || !aligned(args.x) || !aligned(args.weight)) {
    return LaunchError::kShape;
  }
  if (args.rows == 0) return LaunchError::kNone;
  return launch(norm_kernel<kNormed>, static_cast<unsigned>(args.rows), kThreads, 0, stream, args);
}

}  // namespace

LaunchError rms_norm(const NormArgs& args, Stream stream) {
  return normed<true>(args, stream);
}

LaunchError prepare(const NormArgs& args, Stream stream) {
  return normed<false>(args, stream);
}

}  // namespace ambit::inference::ops::cuda
