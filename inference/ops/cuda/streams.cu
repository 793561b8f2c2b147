// Rows in and out of the residual streams: embedding, gathering, the kept streams of the MTP block,
// rotary angles, the largest logit. A block owns a row; neighbouring lanes take neighbouring
// columns, 16 bytes each. No shared memory but in argmax.
#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) embed_kernel(const EmbedArgs a) {
  await_before();
  const std::size_t row = blockIdx.x;
  const std::size_t dim = a.table.cols;
  const auto id = static_cast<std::size_t>(a.step.ids[row]);
  for (std::size_t col = 4 * threadIdx.x; col < dim; col += 4 * kThreads) {
    float4 v;
    if (a.table.type == MatrixType::kF32) {
      v = load4(reinterpret_cast<const float*>(a.table.data) + id * dim + col);
    } else {
      const uint2 two = *reinterpret_cast<const uint2*>(
          reinterpret_cast<const std::uint16_t*>(a.table.data) + id * dim + col);
      v = make_float4(__uint_as_float(two.x << 16), __uint_as_float(two.x & 0xFFFF0000U),
                      __uint_as_float(two.y << 16), __uint_as_float(two.y & 0xFFFF0000U));
    }
    for (int j = 0; j < a.copies; ++j) {
      store4(a.out +
                 (row * static_cast<std::size_t>(a.copies) + static_cast<std::size_t>(j)) * dim +
                 col,
             v);
    }
  }
}

// Precise sine and cosine: positions reach a million, far beyond what fast reductions allow.
__global__ void __launch_bounds__(kThreads) angles_kernel(const AnglesArgs a) {
  await_before();
  const std::size_t row = blockIdx.x;
  const auto position = static_cast<float>(a.step.positions[row] - a.offset);
  for (int i = static_cast<int>(threadIdx.x); i < a.half; i += kThreads) {
    float s, c;
    sincosf(position * a.frequencies[i], &s, &c);
    a.cos[row * static_cast<std::size_t>(a.half) + static_cast<std::size_t>(i)] = c;
    a.sin[row * static_cast<std::size_t>(a.half) + static_cast<std::size_t>(i)] = s;
  }
}

__global__ void __launch_bounds__(kThreads) tap_kernel(const TapArgs a) {
  await_before();
  const std::size_t row = blockIdx.x;
  const float* x = a.streams + row * kStreams * a.dim;
  for (std::size_t col = 4 * threadIdx.x; col < a.dim; col += 4 * kThreads) {
    float4 sum = load4(x + col);
#pragma unroll
    for (int j = 1; j < kStreams; ++j) {
      const float4 v = load4(x + static_cast<std::size_t>(j) * a.dim + col);
      sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
    }
    constexpr float kShare = 1.0F / kStreams;
    store4(a.out + row * a.stride + col,
           make_float4(sum.x * kShare, sum.y * kShare, sum.z * kShare, sum.w * kShare));
  }
}

__device__ void copy_row(const float* from, float* to, std::size_t width) {
  for (std::size_t col = 4 * threadIdx.x; col < width; col += 4 * kThreads) {
    store4(to + col, from == nullptr ? make_float4(0, 0, 0, 0) : load4(from + col));
  }
}

__global__ void __launch_bounds__(kThreads) gather_kernel(const GatherArgs a) {
  await_before();
  const std::size_t i = blockIdx.x;
  const std::int32_t from = a.index[i];
  copy_row(from < 0 ? nullptr : a.in + static_cast<std::size_t>(from) * a.width,
           a.out + i * a.width, a.width);
}

template <bool kSave>
__global__ void __launch_bounds__(kThreads) kept_kernel(const KeptStreamsArgs a) {
  await_before();
  const std::size_t row = blockIdx.x;
  const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
  const std::int64_t position = a.step.positions[row] - (kSave ? 0 : 1);
  const PageRef& page = segment.pages[position / kPageRows];
  float* kept = page.raw != nullptr
                    ? page.raw + a.raw_at + static_cast<std::size_t>(position % kPageRows) * a.width
                    : page.edge + a.edge_at;
  float* streams = a.streams + row * a.width;
  copy_row(kSave ? streams : kept, kSave ? kept : streams, a.width);
}

__global__ void __launch_bounds__(kThreads) add_kernel(const AddArgs a) {
  await_before();
  const std::size_t row = blockIdx.x / a.copies;
  float* x = a.x + blockIdx.x * a.dim;
  const float* y = a.y + row * a.dim;
  for (std::size_t col = 4 * threadIdx.x; col < a.dim; col += 4 * kThreads) {
    const float4 p = load4(x + col), q = load4(y + col);
    store4(x + col, make_float4(p.x + q.x, p.y + q.y, p.z + q.z, p.w + q.w));
  }
}

constexpr int kArgmaxThreads = 512;

// Shared memory: a value and an index a warp; one barrier.
__global__ void __launch_bounds__(kArgmaxThreads) argmax_kernel(const ArgmaxArgs a) {
  await_before();
  __shared__ float values[kArgmaxThreads / kWarp];
  __shared__ int indices[kArgmaxThreads / kWarp];
  const float* x = a.x + blockIdx.x * a.dim;
  float best = -INFINITY;
  int at = 0x7FFFFFFF;
  for (std::size_t i = threadIdx.x; i < a.dim; i += kArgmaxThreads) {
    if (x[i] > best) {
      best = x[i];
      at = static_cast<int>(i);
    }
  }
  const auto take = [&](float value, int index) {
    if (value > best || (value == best && index < at)) {
      best = value;
      at = index;
    }
  };
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const float value = __shfl_xor_sync(kAllLanes, best, step);
    const int index = __shfl_xor_sync(kAllLanes, at, step);
    take(value, index);
  }
  if (threadIdx.x % kWarp == 0) {
    values[threadIdx.x / kWarp] = best;
    indices[threadIdx.x / kWarp] = at;
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < kArgmaxThreads / kWarp; ++w) take(values[w], indices[w]);
  a.out[blockIdx.x] = at == 0x7FFFFFFF ? 0 : at;
}

bool grid(std::size_t n) {
  return n <= 0x7FFFFFFFU;
}

}  // namespace

LaunchError embed(const EmbedArgs& a, Stream stream) {
  if (a.table.type != MatrixType::kF32 && a.table.type != MatrixType::kBf16) {
    return LaunchError::kUnsupported;
  }
  if (a.table.cols % 4 != 0 || a.copies < 1 || !grid(a.step.rows)) return LaunchError::kShape;
  if (a.step.rows == 0) return LaunchError::kNone;
  return launch(embed_kernel, static_cast<unsigned>(a.step.rows), kThreads, 0, stream, a);
}

LaunchError angles(const AnglesArgs& a, Stream stream) {
  if (a.half < 1 || !grid(a.step.rows)) return LaunchError::kShape;
  if (a.step.rows == 0) return LaunchError::kNone;
  return launch(angles_kernel, static_cast<unsigned>(a.step.rows), kThreads, 0, stream, a);
}

LaunchError gather_rows(const GatherArgs& a, Stream stream) {
  if (a.width % 4 != 0 || !grid(a.n)) return LaunchError::kShape;
  if (a.n == 0) return LaunchError::kNone;
  return launch(gather_kernel, static_cast<unsigned>(a.n), kThreads, 0, stream, a);
}

LaunchError save_streams(const KeptStreamsArgs& a, Stream stream) {
  if (a.width % 4 != 0 || !grid(a.step.rows)) return LaunchError::kShape;
  if (a.step.rows == 0) return LaunchError::kNone;
  return launch(kept_kernel<true>, static_cast<unsigned>(a.step.rows), kThreads, 0, stream, a);
}

LaunchError load_streams(const KeptStreamsArgs& a, Stream stream) {
  if (a.width % 4 != 0 || !grid(a.step.rows)) return LaunchError::kShape;
  if (a.step.rows == 0) return LaunchError::kNone;
  return launch(kept_kernel<false>, static_cast<unsigned>(a.step.rows), kThreads, 0, stream, a);
}

LaunchError tap(const TapArgs& a, Stream stream) {
  if (a.dim % 4 != 0 || a.stride % 4 != 0 || !grid(a.rows)) return LaunchError::kShape;
  if (a.rows == 0) return LaunchError::kNone;
  return launch(tap_kernel, static_cast<unsigned>(a.rows), kThreads, 0, stream, a);
}

LaunchError add_rows(const AddArgs& a, Stream stream) {
  if (a.dim % 4 != 0 || !grid(a.rows * a.copies)) return LaunchError::kShape;
  if (a.rows == 0) return LaunchError::kNone;
  return launch(add_kernel, static_cast<unsigned>(a.rows * a.copies), kThreads, 0, stream, a);
}

LaunchError argmax(const ArgmaxArgs& a, Stream stream) {
  if (a.dim == 0 || a.dim >= 0x7FFFFFFFU || !grid(a.rows)) return LaunchError::kShape;
  if (a.rows == 0) return LaunchError::kNone;
  return launch(argmax_kernel, static_cast<unsigned>(a.rows), kArgmaxThreads, 0, stream, a);
}

}  // namespace ambit::inference::ops::cuda
