// Hyper-connections (ops/hc_mix.h) in two kernels a site, the norm and rounding of the sublayer's
// input included.
//
// hc_mix: grid [chunks of 128 columns, groups of 4 rows], 512 threads: 128 of them own a column of
// all 4 streams each, and bring the sublayer's output back into the streams. The streams then stand
// in shared memory, where four groups of 128 multiply them with fn, 8 products each (the last
// group: with themselves). The 32 weights of a thread are on their way before it waits for the
// kernel before. Sums over the chunk: 31 shuffles for 32 values, then 4 warps in order. Shared
// memory 10 KiB, two barriers. Bytes a row: 8 D reads and writes of fp32 streams plus f, and 24 · 4
// D · 4 of fn for every group of rows.
//
// hc_pre: a block a row, 544 threads: the chunks' sums come to shared memory at once and are added
// in order by one warp; that warp then goes through Sinkhorn's rounds while the 16 others collapse
// the streams (row kept in shared memory, D floats). Norm, forms. Six barriers.
#include <algorithm>

#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kMixRows = 4;
constexpr int kMixOuts = 8;   // a group of products: kMixOuts · kMixRows = 32 values
constexpr int kSquares = 24;  // place of Σ x² in partial
static_assert(kMixRows * kMixOuts == kWarp && kMixChunk / kWarp == 4);

// Sum of what goes back to a row's streams, at one column.
__device__ float gathered(const Sublayer& s, std::size_t row, std::size_t dim, std::size_t col) {
  float part[kMaxPerToken] = {};
#pragma unroll
  for (int i = 0; i < kMaxPerToken; ++i) {
    if (i >= s.terms) break;
    const std::size_t from =
        s.entries == nullptr
            ? row
            : static_cast<std::size_t>(
                  s.entries[row * static_cast<std::size_t>(s.terms) + static_cast<std::size_t>(i)]);
    part[i] = s.f[from * dim + col];
  }
  const float last = s.last == nullptr ? 0.0F : s.last[row * dim + col];
  float f = 0;
#pragma unroll
  for (int i = 0; i < kMaxPerToken; ++i) f += part[i];
  return f + last;
}

// y: the streams of a row at one column, brought up to date where they lie.
__device__ void updated(const HcMixArgs& a, std::size_t row, std::size_t col,
                        float (&y)[kStreams]) {
  float* streams = a.streams + row * kStreams * a.dim + col;
  float before[kStreams];
#pragma unroll
  for (int j = 0; j < kStreams; ++j)
    y[j] = before[j] = streams[static_cast<std::size_t>(j) * a.dim];
  const Sublayer& s = a.sublayer;
  if (s.f == nullptr) return;
  const float f = gathered(s, row, a.dim, col);
  const float* post = s.post + row * kStreams;
  const float* comb = s.comb + row * kStreams * kStreams;
#pragma unroll
  for (int k = 0; k < kStreams; ++k) {
    y[k] = post[k] * f;
#pragma unroll
    for (int j = 0; j < kStreams; ++j) y[k] = fmaf(comb[j * kStreams + k], before[j], y[k]);
    streams[static_cast<std::size_t>(k) * a.dim] = y[k];
  }
}

// Groups of threads: one for 8 products each, one for the squares.
template <int kOuts>
inline constexpr int kGroups = (kOuts + kMixOuts - 1) / kMixOuts + 1;

template <int kOuts>
__global__ void __launch_bounds__(kMixChunk* kGroups<kOuts>, 1) mix_kernel(const HcMixArgs a) {
  constexpr int kSquareGroup = kGroups<kOuts> - 1;
  __shared__ float x[kMixRows][kStreams][kMixChunk];
  __shared__ float sums[kMixChunk / kWarp][kGroups<kOuts> * kWarp];
  const std::size_t dim = a.dim;
  const int group = static_cast<int>(threadIdx.x) / kMixChunk;
  const int column = static_cast<int>(threadIdx.x) % kMixChunk;
  const std::size_t col =
      blockIdx.x * static_cast<std::size_t>(kMixChunk) + static_cast<std::size_t>(column);
  const bool inside = col < dim;
  float w[kMixOuts][kStreams] = {};
  if (group < kSquareGroup && inside) {
#pragma unroll
    for (int o = 0; o < kMixOuts; ++o) {
      const int out = group * kMixOuts + o;
      if (out >= kOuts) continue;
#pragma unroll
      for (int j = 0; j < kStreams; ++j)
        w[o][j] = a.fn[static_cast<std::size_t>(out * kStreams + j) * dim + col];
    }
  }
  await_before();
  const int lane = column % kWarp, warp = column / kWarp;
#pragma unroll 1
  for (std::size_t first = blockIdx.y * static_cast<std::size_t>(kMixRows); first < a.rows;
       first += gridDim.y * static_cast<std::size_t>(kMixRows)) {
#pragma unroll
    for (int t = 0; t < kMixRows; ++t) {
      if (t % kGroups<kOuts> != group) continue;
      const std::size_t row = first + static_cast<std::size_t>(t);
      float y[kStreams] = {};
      if (row < a.rows && inside) updated(a, row, col, y);
#pragma unroll
      for (int k = 0; k < kStreams; ++k) x[t][k][column] = y[k];
    }
    if (kOuts == 0) continue;
    __syncthreads();
    float v[kWarp] = {};  // [out of the group][row]
#pragma unroll
    for (int t = 0; t < kMixRows; ++t) {
#pragma unroll
      for (int j = 0; j < kStreams; ++j) {
        const float value = x[t][j][column];
        if (group == kSquareGroup) {
          v[t] = fmaf(value, value, v[t]);
          continue;
        }
#pragma unroll
        for (int o = 0; o < kMixOuts; ++o)
          v[o * kMixRows + t] = fmaf(w[o][j], value, v[o * kMixRows + t]);
      }
    }
    sums[warp][group * kWarp + lane] = warp_sums<kWarp>(v);
    __syncthreads();
    // Thread i adds value i of the four warps: (group, o, t) = i; the squares come last.
    const int i = static_cast<int>(threadIdx.x);
    const std::size_t row = first + static_cast<std::size_t>(i % kMixRows);
    if (i >= kSquareGroup * kWarp + kMixRows || row >= a.rows) continue;
    const int out = i < kSquareGroup * kWarp ? i / kMixRows : kSquares;
    float sum = 0;
#pragma unroll
    for (int k = 0; k < kMixChunk / kWarp; ++k) sum += sums[k][i];
    a.partial[(row * gridDim.x + blockIdx.x) * kMixWidth + static_cast<std::size_t>(out)] = sum;
  }
}

__device__ float sigmoid(float x) {
  return 1.0F / (1.0F + expf(-x));
}

// Sums over the 4 lanes of a row (lanes 4j + k, fixed j) or of a column of the 4 × 4 matrix, in
// ascending order in every lane.
__device__ float row_sum(float c, int lane) {
  float sum = 0;
#pragma unroll
  for (int k = 0; k < kStreams; ++k) sum += __shfl_sync(kAllLanes, c, (lane & 12) + k);
  return sum;
}
__device__ float column_sum(float c, int lane) {
  float sum = 0;
#pragma unroll
  for (int j = 0; j < kStreams; ++j) sum += __shfl_sync(kAllLanes, c, 4 * j + (lane & 3));
  return sum;
}

// By one warp: m [24] products in shared memory. First what the collapse waits for.
__device__ void split_pre(const HcPreArgs& a, const float* m, float inverse, float* pre) {
  const int lane = threadIdx.x % kWarp;
  if (lane < kStreams) {
    pre[lane] = sigmoid(m[lane] * inverse * a.scale[0] + a.base[lane]) + a.hc_eps;
  }
}

// Then what the next site needs.
__device__ void split_rest(const HcPreArgs& a, const float* m, float inverse, std::size_t row) {
  const int lane = threadIdx.x % kWarp;
  if (lane < kStreams) {
    const int i = kStreams + lane;
    a.post[row * kStreams + static_cast<std::size_t>(lane)] =
        2.0F * sigmoid(m[i] * inverse * a.scale[1] + a.base[i]);
  }
  const int i = 2 * kStreams + lane % 16;
  float c = m[i] * inverse * a.scale[2] + a.base[i];
  c = expf(c - group_max<4>(c));
  c = c / row_sum(c, lane) + a.hc_eps;
  c /= column_sum(c, lane) + a.hc_eps;
  // 19 rounds, one after the other: divisions that are right to the last bit but one, not the last.
  for (int round = 1; round < a.iterations; ++round) {
    c = __fdividef(c, row_sum(c, lane) + a.hc_eps);
    c = __fdividef(c, column_sum(c, lane) + a.hc_eps);
  }
  if (lane < 16) a.comb[row * 16 + static_cast<std::size_t>(lane)] = c;
}

constexpr int kCollapseThreads = 512;
constexpr int kPreThreads = kCollapseThreads + kWarp;

__global__ void __launch_bounds__(kPreThreads) pre_kernel(const HcPreArgs a) {
  extern __shared__ float mixed[];  // [dim]; before that, the chunks' sums
  __shared__ float m[kMixWidth];
  __shared__ float pre[kStreams];
  __shared__ float partial[kPreThreads / kWarp];
  const std::size_t row = blockIdx.x;
  const int dim = static_cast<int>(a.dim), thread = static_cast<int>(threadIdx.x);
  const int chunks = (dim + kMixChunk - 1) / kMixChunk;
  const bool last_warp = thread >= kCollapseThreads;
  expect(a.weight, a.dim);
  expect(a.base, static_cast<std::size_t>(a.outs));
  expect(a.scale, a.outs == kStreams ? 1 : 3);
  await_before();
  const float* sums = a.partial + row * static_cast<std::size_t>(chunks * kMixWidth);
  for (int i = thread; i < chunks * kMixWidth; i += kPreThreads) mixed[i] = sums[i];
  __syncthreads();
  float inverse = 0;
  if (last_warp) {
    const int lane = thread % kWarp;
    float sum = 0;
    const bool used = lane < a.outs || lane == kSquares;
    for (int c = 0; used && c < chunks; ++c) sum += mixed[c * kMixWidth + lane];
    m[lane] = sum;
    __syncwarp();
    inverse = 1.0F / sqrtf(m[kSquares] / static_cast<float>(kStreams * dim) + a.norm_eps);
    split_pre(a, m, inverse, pre);
  }
  __syncthreads();
  float sum = 0;
  if (last_warp) {
    if (a.outs == 24) split_rest(a, m, inverse, row);
  } else {
    const float* streams = a.streams + row * kStreams * a.dim;
#pragma unroll 2
    for (int col = 4 * thread; col < dim; col += 4 * kCollapseThreads) {
      float4 x[kStreams];
#pragma unroll
      for (int j = 0; j < kStreams; ++j)
        x[j] = load4(streams + static_cast<std::size_t>(j) * a.dim + col);
      float4 y = make_float4(0, 0, 0, 0);
#pragma unroll
      for (int j = 0; j < kStreams; ++j) {
        y = make_float4(fmaf(pre[j], x[j].x, y.x), fmaf(pre[j], x[j].y, y.y),
                        fmaf(pre[j], x[j].z, y.z), fmaf(pre[j], x[j].w, y.w));
      }
      store4(mixed + col, y);
      if (a.collapsed != nullptr) {
        store4(a.collapsed + row * a.dim + static_cast<std::size_t>(col), y);
      }
      sum = fmaf(y.x, y.x, sum);
      sum = fmaf(y.y, y.y, sum);
      sum = fmaf(y.z, y.z, sum);
      sum = fmaf(y.w, y.w, sum);
    }
  }
  // Its barriers also show every thread the whole row.
  sum = block_sum<kPreThreads>(sum, partial);
  inverse = 1.0F / sqrtf(sum / static_cast<float>(dim) + a.norm_eps);
  if (last_warp) return;
  store_row(
      a.out, row,
      [&](int col) {
        const float4 v = load4(mixed + col), w = load4(a.weight + col);
        return make_float4(w.x * (v.x * inverse), w.y * (v.y * inverse), w.z * (v.z * inverse),
                           w.w * (v.w * inverse));
      },
      kCollapseThreads / kWarp);
}

}  // namespace

LaunchError hc_mix(const HcMixArgs& a, Stream stream) {
  if (a.dim == 0 || a.dim > 1U << 16 || a.rows > 1U << 24 || a.sublayer.terms > kMaxPerToken)
    return LaunchError::kShape;
  if (a.rows == 0) return LaunchError::kNone;
  const dim3 grid(
      static_cast<unsigned>((a.dim + kMixChunk - 1) / kMixChunk),
      static_cast<unsigned>(std::min<std::size_t>((a.rows + kMixRows - 1) / kMixRows, 32)));
  switch (a.outs) {
    case 24:
      return launch(mix_kernel<24>, grid, kMixChunk * kGroups<24>, 0, stream, a);
    case kStreams:
      return launch(mix_kernel<kStreams>, grid, kMixChunk * kGroups<kStreams>, 0, stream, a);
    case 0:
      return launch(mix_kernel<0>, grid, kMixChunk, 0, stream, a);
    default:
      return LaunchError::kUnsupported;
  }
}

LaunchError hc_pre(const HcPreArgs& a, Stream stream) {
  if (a.dim == 0 || a.dim % 4 != 0 || a.dim > 11264 || a.rows > 0x7FFFFFFFU ||
      (a.outs != 24 && a.outs != kStreams)) {
    return LaunchError::kShape;
  }
  if (a.rows == 0) return LaunchError::kNone;
  const std::size_t chunks = (a.dim + kMixChunk - 1) / kMixChunk;
  const std::size_t floats = a.dim > chunks * kMixWidth ? a.dim : chunks * kMixWidth;
  return launch(pre_kernel, static_cast<unsigned>(a.rows), kPreThreads, floats * sizeof(float),
                stream, a);
}

}  // namespace ambit::inference::ops::cuda
