// The lightning indexer's scores (ops/index_scores.h), by two kernels.
//
// rounded_scores, for packed FP4 keys and queries rounded alike, both exact in BF16, on the matrix
// units (mma.cuh): grid [runs of 8 pages, runs of 16 rows], 256 threads. A warp owns a page: its 32
// keys lie unpacked in registers as second operand for all 16 rows (64 registers; 68 bytes a key of
// 128 are read once from memory, 16 and 4 a lane). Queries of a row come to shared memory as BF16,
// in two buffers in turn: one barrier a row. 16 heads at a time are 32 products, after which the
// heads are weighed and added in ascending order, then 7 shuffles. At most 128 registers, two
// blocks a multiprocessor; 34 KiB.
//
// scores, for fp32 keys of plain numerics, on the ordinary units: grid [groups of 4 pages,
// rows], 128 threads: a warp owns a page of keys, a lane one key, so that a dimension of all keys
// is one coalesced load and nothing is summed across lanes. 16 heads at a time in registers; the
// queries lie transposed in shared memory (heads · dim floats), read as broadcasts of 16 bytes.
// Keys are read heads / 16 times, all but once from the cache. One barrier.
#include "inference/ops/cuda/mma.cuh"
#include "inference/ops/cuda/packed.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kPages = 4;
constexpr int kScoreThreads = kPages * kWarp;
constexpr int kHeads = 16;

__device__ std::int64_t visible_rows(const IndexArgs& a, std::size_t row) {
  return (a.step.positions[row] + 1) / a.ratio;
}

// Heads that are not there count as zeros.
__host__ __device__ int whole_tiles(int heads) {
  return (heads + kHeads - 1) / kHeads * kHeads;
}

__global__ void __launch_bounds__(kScoreThreads) scores_kernel(const IndexArgs a) {
  extern __shared__ float q[];  // [dim, heads]
  await_before();
  const std::size_t row = a.first + blockIdx.y;
  const std::int64_t visible = visible_rows(a, row);
  const int per_page = kPageRows / a.ratio;  // at most a warp
  if (visible <= a.top || static_cast<std::int64_t>(blockIdx.x) * kPages * per_page >= visible)
    return;
  const float* from = a.q + row * static_cast<std::size_t>(a.heads * a.dim);
  const int heads = whole_tiles(a.heads);
  for (int i = static_cast<int>(threadIdx.x); i < heads * a.dim; i += kScoreThreads) {
    q[i % a.dim * heads + i / a.dim] = i / a.dim < a.heads ? from[i] : 0.0F;
  }
  __syncthreads();
  const std::int64_t page = static_cast<std::int64_t>(blockIdx.x) * kPages + threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const std::int64_t key = page * per_page + lane;
  if (lane >= per_page || key >= visible) return;
  const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
  const float* keys =
      reinterpret_cast<const float*>(
          reinterpret_cast<const std::uint8_t*>(segment.pages[page].rows) + a.index_at) +
      lane;
  const float* weights = a.weights + row * static_cast<std::size_t>(a.heads);
  float score = 0;
  for (int h = 0; h < a.heads; h += kHeads) {
    float dot[kHeads] = {};
    for (int d = 0; d < a.dim; ++d) {
      const float k = keys[d * per_page];
      const float* qs = q + d * heads + h;
#pragma unroll
      for (int i = 0; i < kHeads; i += 4) {
        const float4 four = load4(qs + i);
        dot[i] = fmaf(four.x, k, dot[i]);
        dot[i + 1] = fmaf(four.y, k, dot[i + 1]);
        dot[i + 2] = fmaf(four.z, k, dot[i + 2]);
        dot[i + 3] = fmaf(four.w, k, dot[i + 3]);
      }
    }
#pragma unroll
    for (int i = 0; i < kHeads; ++i) {
      if (h + i < a.heads) score = fmaf(weights[h + i], fmaxf(dot[i], 0.0F), score);
    }
  }
  a.scores[blockIdx.y * a.most + static_cast<std::size_t>(key)] = score;
}

constexpr int kTogether = 16;  // rows that share a block's keys
constexpr int kMatrixWarps = 8, kMatrixThreads = kMatrixWarps * kWarp;
constexpr int kMatrixHeads = 64, kKeys = 32;  // at most; of a page
constexpr int kTiles = kKeys / 8, kSteps = kMaxIndexDim / 16;

// The packed keys of a page as second operand: column c of tile n is key 4 c + n, and a lane has
// the eight dimensions of an octet in two steps (query_at), so that it takes 16 bytes of an octet.
__device__ void load_keys(const std::uint8_t* block, int dim, uint2 (&keys)[kSteps][kTiles]) {
  const int g = threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int s = 0; s < kSteps / 2; ++s) {
    if (32 * s >= dim) break;
    const uint4 octet = *reinterpret_cast<const uint4*>(block + ((4 * s + t) * kKeys + 4 * g) * 4);
    const unsigned scales =
        *reinterpret_cast<const unsigned*>(block + dim / 8 * kKeys * 4 + s * kKeys + 4 * g);
    const unsigned words[kTiles] = {octet.x, octet.y, octet.z, octet.w};
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
      const unsigned scale = scale_of(scales >> (8 * n) & 0xFFU);
      keys[2 * s][n] = unpack_fp4(words[n] & 0x0F0F0F0FU, scale);
      keys[2 * s + 1][n] = unpack_fp4(words[n] >> 4 & 0x0F0F0F0FU, scale);
    }
  }
}
// Where columns [col, col + 2) of a query stand, so that its dimensions meet those of the keys:
// octet 4 s + t, dimensions 0 to 3, in steps 2 s, the others in 2 s + 1, a lane's four in the
// columns 2 t, 2 t + 1, 2 t + 8 and 2 t + 9.
__device__ int query_at(int col) {
  return col / 32 * 32 + col % 8 / 4 * 16 + col % 32 / 8 * 2 + col % 4 / 2 * 8;
}

__global__ void __launch_bounds__(kMatrixThreads, 2) rounded_scores_kernel(const IndexArgs a) {
  constexpr int kStride = kMaxIndexDim + kPad;
  __shared__ alignas(16) std::uint16_t queries[2][kMatrixHeads][kStride];
  __shared__ float weights[2][kMatrixHeads];
  await_before();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp;
  const int page = static_cast<int>(blockIdx.x) * kMatrixWarps + thread / kWarp;
  const int begin = static_cast<int>(blockIdx.y) * kTogether;
  const int end = min(begin + kTogether, static_cast<int>(a.rows));
  uint2 keys[kSteps][kTiles];
  int owner = -1;  // of the keys: a segment
  int turn = 0;
  for (int r = begin; r < end; ++r) {
    const std::size_t row = a.first + static_cast<std::size_t>(r);
    const auto visible = static_cast<int>(visible_rows(a, row));
    if (visible <= a.top || static_cast<int>(blockIdx.x) * kMatrixWarps * kKeys >= visible)
      continue;
    turn ^= 1;
    const float* from = a.q + row * static_cast<std::size_t>(a.heads * a.dim);
    const int col = 4 * lane;
    for (int h = thread / kWarp; h < whole_tiles(a.heads) && col < a.dim; h += kMatrixWarps) {
      const float4 x = h < a.heads ? load4(from + h * a.dim + col) : make_float4(0, 0, 0, 0);
      *reinterpret_cast<unsigned*>(&queries[turn][h][query_at(col)]) = bf16_pair(x.x, x.y);
      *reinterpret_cast<unsigned*>(&queries[turn][h][query_at(col + 2)]) = bf16_pair(x.z, x.w);
    }
    if (thread < kMatrixHeads) {
      weights[turn][thread] =
          thread < a.heads ? a.weights[row * static_cast<std::size_t>(a.heads) + thread] : 0.0F;
    }
    // The other buffer is written next after all have passed here, and so have done with it.
    __syncthreads();
    if (page * kKeys >= visible) continue;
    if (const int of = a.step.segment_of[row]; of != owner) {
      owner = of;
      load_keys(
          reinterpret_cast<const std::uint8_t*>(a.step.segments[of].pages[page].rows) + a.index_at,
          a.dim, keys);
    }
    float score[8] = {};  // of key 8 (lane % 4) + i
#pragma unroll 1
    for (int h = 0; h < a.heads; h += 16) {
      float acc[kTiles][4] = {};
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
        if (16 * s >= a.dim) break;
        unsigned q[4];
        load_a(&queries[turn][h][16 * s], kStride, q);
#pragma unroll
        for (int n = 0; n < kTiles; ++n) mma(acc[n], q, keys[s][n].x, keys[s][n].y);
      }
      const float upper = weights[turn][h + lane / 4], lower = weights[turn][h + lane / 4 + 8];
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float& to = score[4 * i + n];
          to = fmaf(upper, fmaxf(acc[n][i], 0.0F), to);
          to = fmaf(lower, fmaxf(acc[n][i + 2], 0.0F), to);
        }
      }
    }
    // Over the lanes that have other heads: lane 4 g + t is left with key 8 t + g.
    const float sum = warp_sums<8, kWarp / 2, 4>(score);
    const int key = page * kKeys + lane % 4 * 8 + lane / 4;
    if (key < visible) {
      a.scores[static_cast<std::size_t>(r) * a.most + static_cast<std::size_t>(key)] = sum;
    }
  }
}

LaunchError check(const IndexArgs& a) {
  const bool good = a.heads > 0 && a.dim > 0 && a.dim <= kMaxIndexDim &&
                    whole_tiles(a.heads) * a.dim * 4 <= 48 * 1024 && a.ratio > 0 &&
                    kPageRows % a.ratio == 0 && kPageRows / a.ratio <= kWarp && a.top > 0 &&
                    a.rows <= 65535 && a.first + a.rows <= a.step.rows;
  return good ? LaunchError::kNone : LaunchError::kShape;
}

}  // namespace

LaunchError index_scores(const IndexArgs& a, Stream stream) {
  const LaunchError error = check(a);
  if (error != LaunchError::kNone || a.rows == 0 || a.most == 0) return error;
  if (a.rounded) {
    if (a.heads > kMatrixHeads || a.dim % 32 != 0 || a.index_at % 16 != 0 ||
        kPageRows / a.ratio != kKeys) {
      return LaunchError::kShape;
    }
    constexpr std::size_t kGroup = kMatrixWarps * kKeys;
    return launch(rounded_scores_kernel,
                  dim3(static_cast<unsigned>((a.most + kGroup - 1) / kGroup),
                       static_cast<unsigned>((a.rows + kTogether - 1) / kTogether)),
                  kMatrixThreads, 0, stream, a);
  }
  const auto group = static_cast<std::size_t>(kPages * (kPageRows / a.ratio));
  const dim3 grid(static_cast<unsigned>((a.most + group - 1) / group),
                  static_cast<unsigned>(a.rows));
  return launch(scores_kernel, grid, kScoreThreads,
                static_cast<std::size_t>(whole_tiles(a.heads) * a.dim) * 4, stream, a);
}

}  // namespace ambit::inference::ops::cuda
