// The lightning indexer (ops/index_scores.h) and its exact choice (ops/top_k.h).
//
// scores: grid [groups of 4 pages, rows], 128 threads: a warp owns a page of keys, a lane one key,
// so that a dimension of all keys is one coalesced load and nothing is summed across lanes. 16
// heads at a time in registers; the queries lie transposed in shared memory (heads · dim floats),
// read as broadcasts of 16 bytes. Keys are read heads / 16 times, all but once from the cache. One
// barrier.
//
// top_k: a block a row, 256 threads: the k-th largest score by four rounds over 8 bits of an order-
// preserving code, then each thread writes the chosen of its own run of scores; ties go to the
// lower index. Scores are read 6 times from the cache. Shared memory 3 KiB.
#include "inference/ops/cuda/warp.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kPages = 4;
constexpr int kScoreThreads = kPages * kWarp;
constexpr int kHeads = 16;

__device__ std::int64_t visible_rows(const IndexArgs& a, std::size_t row) {
  return (a.step.positions[row] + 1) / a.ratio;
}

__global__ void __launch_bounds__(kScoreThreads) scores_kernel(const IndexArgs a) {
  extern __shared__ float q[];  // [dim, heads]
  const std::size_t row = a.first + blockIdx.y;
  const std::int64_t visible = visible_rows(a, row);
  const int per_page = kPageRows / a.ratio;  // at most a warp
  if (visible <= a.top || static_cast<std::int64_t>(blockIdx.x) * kPages * per_page >= visible)
    return;
  const float* from = a.q + row * static_cast<std::size_t>(a.heads * a.dim);
  for (int i = static_cast<int>(threadIdx.x); i < a.heads * a.dim; i += kScoreThreads) {
    q[i % a.dim * a.heads + i / a.dim] = from[i];
  }
  __syncthreads();
  const std::int64_t page = static_cast<std::int64_t>(blockIdx.x) * kPages + threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const std::int64_t key = page * per_page + lane;
  if (lane >= per_page || key >= visible) return;
  const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
  const float* keys = segment.pages[page].rows + a.index_at + lane;
  const float* weights = a.weights + row * static_cast<std::size_t>(a.heads);
  float score = 0;
  for (int h = 0; h < a.heads; h += kHeads) {
    float dot[kHeads] = {};
    for (int d = 0; d < a.dim; ++d) {
      const float k = keys[d * per_page];
      const float* qs = q + d * a.heads + h;
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
    for (int i = 0; i < kHeads; ++i) score = fmaf(weights[h + i], fmaxf(dot[i], 0.0F), score);
  }
  a.scores[blockIdx.y * a.most + static_cast<std::size_t>(key)] = score;
}

constexpr int kThreads = 256;

// Larger code: larger score; NaN lowest.
__device__ unsigned code_of(float score) {
  const unsigned bits = score != score ? 0xFF800000U : __float_as_uint(score + 0.0F);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

// Exclusive sum over the block of two counts a thread. before: shared, [2][kThreads / kWarp].
__device__ void block_before(int (&count)[2], int (*before)[kThreads / kWarp]) {
  const int lane = threadIdx.x % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    int sum = count[i];
#pragma unroll
    for (int step = 1; step < kWarp; step *= 2) {
      const int other = __shfl_up_sync(kAllLanes, sum, step);
      if (lane >= step) sum += other;
    }
    if (lane == kWarp - 1) before[i][warp] = sum;
    count[i] = sum - count[i];
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    for (int w = 0; w < warp; ++w) count[i] += before[i][w];
  }
}

__global__ void __launch_bounds__(kThreads) top_k_kernel(const IndexArgs a) {
  __shared__ int histogram[256];
  __shared__ int before[2][kThreads / kWarp];
  __shared__ unsigned prefix_of;
  __shared__ int left_of;
  const std::size_t row = a.first + blockIdx.x;
  const auto visible = static_cast<int>(visible_rows(a, row));
  std::int32_t* out = a.selected + row * static_cast<std::size_t>(a.top);
  const int thread = static_cast<int>(threadIdx.x);
  if (visible <= a.top) {
    for (int i = thread; i < visible; i += kThreads) out[i] = i;
    return;
  }
  const float* scores = a.scores + blockIdx.x * a.most;
  unsigned prefix = 0;  // of the k-th largest code
  int left = a.top;     // to take among the codes that share it
  for (int shift = 24; shift >= 0; shift -= 8) {
    histogram[thread] = 0;
    __syncthreads();
    for (int i = thread; i < visible; i += kThreads) {
      const unsigned code = code_of(scores[i]);
      if (shift == 24 || code >> (shift + 8) == prefix >> (shift + 8)) {
        atomicAdd(&histogram[code >> shift & 255U], 1);
      }
    }
    __syncthreads();
    if (thread == 0) {
      int bin = 255;
      int rest = left;
      for (; bin > 0 && histogram[bin] < rest; --bin) rest -= histogram[bin];
      prefix_of = prefix | static_cast<unsigned>(bin) << shift;
      left_of = rest;
    }
    __syncthreads();
    prefix = prefix_of;
    left = left_of;
  }
  const int run = (visible + kThreads - 1) / kThreads;
  const int from = min(visible, thread * run), to = min(visible, from + run);
  int count[2] = {};  // larger than the k-th, equal to it
  for (int i = from; i < to; ++i) {
    const unsigned code = code_of(scores[i]);
    count[0] += code > prefix ? 1 : 0;
    count[1] += code == prefix ? 1 : 0;
  }
  block_before(count, before);
  int equal = count[1];
  int at = count[0] + min(equal, left);
  for (int i = from; i < to; ++i) {
    const unsigned code = code_of(scores[i]);
    if (code > prefix || (code == prefix && equal++ < left)) out[at++] = i;
  }
}

LaunchError check(const IndexArgs& a) {
  const bool good = a.heads > 0 && a.heads % kHeads == 0 && a.dim > 0 && a.dim <= kMaxIndexDim &&
                    a.heads * a.dim * 4 <= 48 * 1024 && a.ratio > 0 && kPageRows % a.ratio == 0 &&
                    kPageRows / a.ratio <= kWarp && a.top > 0 && a.rows <= 65535 &&
                    a.first + a.rows <= a.step.rows;
  return good ? LaunchError::kNone : LaunchError::kShape;
}

}  // namespace

LaunchError index_scores(const IndexArgs& a, Stream stream) {
  const LaunchError error = check(a);
  if (error != LaunchError::kNone || a.rows == 0 || a.most == 0) return error;
  const auto group = static_cast<std::size_t>(kPages * (kPageRows / a.ratio));
  const dim3 grid(static_cast<unsigned>((a.most + group - 1) / group),
                  static_cast<unsigned>(a.rows));
  scores_kernel<<<grid, kScoreThreads, static_cast<std::size_t>(a.heads * a.dim) * 4, stream>>>(a);
  return launched();
}

LaunchError top_k(const IndexArgs& a, Stream stream) {
  const LaunchError error = check(a);
  if (error != LaunchError::kNone || a.rows == 0) return error;
  top_k_kernel<<<static_cast<unsigned>(a.rows), kThreads, 0, stream>>>(a);
  return launched();
}

}  // namespace ambit::inference::ops::cuda
