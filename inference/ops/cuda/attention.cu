// Attention over the window and the chosen compressed rows (ops/sparse_attention.h). A token's list
// of rows is cut in splits of 64 entries, counted from the list's start, so that the cut follows
// from the position alone.
//
// partial: grid [splits, groups of 8 heads, rows], 256 threads. Scores: a warp owns 8 list entries;
// lanes take 16 bytes of a row each (one coalesced read for 8 heads), 9 shuffles sum the 8 heads.
// Then a warp owns a head's softmax over the split, and a thread 4 columns of a half of the heads
// for the values, rows again from the cache. Shared memory: 8 queries (16 KiB), weights, row
// addresses. Three barriers. combine: a block a row and head, 128 threads: splits in ascending
// order, with the sink; the inverse rotation; the forms that wo_a reads.
#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kHeads = 8;
constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kHeadsEach = 4;  // of a thread, in the sum of values
static_assert(kWarps == kHeads && kMaxHeadDim / 4 * (kHeads / kHeadsEach) == kThreads);

struct List {
  std::int64_t window_from;  // first position of the window
  int window, rows;          // entries of each kind
};

__device__ List list_of(const AttentionArgs& a, std::int64_t position, const SegmentRef& segment) {
  List l;
  const std::int64_t from = position - a.window + 1;
  l.window_from = from > segment.first_position ? from : segment.first_position;
  l.window = static_cast<int>(position - l.window_from + 1);
  l.rows = 0;
  if (a.ratio != 0) {
    const std::int64_t visible = (position + 1) / a.ratio;
    l.rows = static_cast<int>(a.selected != nullptr && visible > a.top ? a.top : visible);
  }
  return l;
}

// The address of list entry i.
__device__ const float* entry(const AttentionArgs& a, const List& l, const SegmentRef& segment,
                              std::size_t row, int i) {
  const auto dim = static_cast<std::size_t>(a.dim);
  if (i < l.window) {
    const std::int64_t p = l.window_from + i;
    return segment.pages[p / kPageRows].window + a.window_at +
           static_cast<std::size_t>(p % kPageRows) * dim;
  }
  std::int64_t c = i - l.window;
  if (a.selected != nullptr)
    c = a.selected[row * static_cast<std::size_t>(a.top) + static_cast<std::size_t>(c)];
  const std::int64_t p = c * a.ratio;
  return segment.pages[p / kPageRows].rows + a.rows_at +
         static_cast<std::size_t>(p % kPageRows / a.ratio) * dim;
}

__global__ void __launch_bounds__(kThreads) partial_kernel(const AttentionArgs a) {
  __shared__ alignas(16) float q[kHeads][kMaxHeadDim];
  __shared__ float weights[kHeads][kSplitRows];
  __shared__ const float* address[kSplitRows];
  const std::size_t row = a.first + blockIdx.z;
  const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
  const List list = list_of(a, a.step.positions[row], segment);
  const int from = static_cast<int>(blockIdx.x) * kSplitRows;
  const int n = min(kSplitRows, list.window + list.rows - from);
  if (n <= 0) return;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const int head = static_cast<int>(blockIdx.y) * kHeads;
  const int heads = min(kHeads, a.heads - head);
  const auto dim = static_cast<std::size_t>(a.dim);
  const float* queries =
      a.q + (row * static_cast<std::size_t>(a.heads) + static_cast<std::size_t>(head)) * dim;
  for (int i = 4 * thread; i < kHeads * a.dim; i += 4 * kThreads) {
    const int h = i / a.dim;
    store4(&q[h][i % a.dim], h < heads ? load4(queries + i) : make_float4(0, 0, 0, 0));
  }
  if (thread < kSplitRows) {
    address[thread] = entry(a, list, segment, row, from + min(thread, n - 1));
  }
  __syncthreads();
  const float scale = 1.0F / sqrtf(static_cast<float>(a.dim));
  for (int i = warp; i < n; i += kWarps) {
    float dot[kHeads] = {};
    for (int col = 4 * lane; col < a.dim; col += 4 * kWarp) {
      const float4 k = load4(address[i] + col);
#pragma unroll
      for (int h = 0; h < kHeads; ++h) {
        const float4 x = load4(&q[h][col]);
        dot[h] = fmaf(x.x, k.x, dot[h]);
        dot[h] = fmaf(x.y, k.y, dot[h]);
        dot[h] = fmaf(x.z, k.z, dot[h]);
        dot[h] = fmaf(x.w, k.w, dot[h]);
      }
    }
    const float sum = warp_sums<kHeads>(dot);
    if (lane % (kWarp / kHeads) == 0) weights[lane / (kWarp / kHeads)][i] = sum * scale;
  }
  __syncthreads();
  const std::size_t at =
      ((blockIdx.z * static_cast<std::size_t>(a.heads)) + static_cast<std::size_t>(head)) *
      static_cast<std::size_t>(a.most_splits);
  {
    const float one = lane < n ? weights[warp][lane] : -INFINITY;
    const float two = lane + kWarp < n ? weights[warp][lane + kWarp] : -INFINITY;
    const float most = group_max<kWarp>(fmaxf(one, two));
    const float e1 = lane < n ? expf(one - most) : 0.0F;
    const float e2 = lane + kWarp < n ? expf(two - most) : 0.0F;
    weights[warp][lane] = e1;
    weights[warp][lane + kWarp] = e2;
    const float sum = warp_sum(e1 + e2);
    if (lane == 0 && warp < heads) {
      float* stats =
          a.stats + 2 * (at + static_cast<std::size_t>(warp * a.most_splits) + blockIdx.x);
      stats[0] = most;
      stats[1] = sum;
    }
  }
  __syncthreads();
  const int col = thread % (kMaxHeadDim / 4) * 4;
  const int first = thread / (kMaxHeadDim / 4) * kHeadsEach;
  if (col >= a.dim) return;
  float4 o[kHeadsEach] = {};
  for (int i = 0; i < n; ++i) {
    const float4 v = load4(address[i] + col);
#pragma unroll
    for (int h = 0; h < kHeadsEach; ++h) {
      const float p = weights[first + h][i];
      o[h] = make_float4(fmaf(p, v.x, o[h].x), fmaf(p, v.y, o[h].y), fmaf(p, v.z, o[h].z),
                         fmaf(p, v.w, o[h].w));
    }
  }
#pragma unroll
  for (int h = 0; h < kHeadsEach; ++h) {
    if (first + h >= heads) continue;
    const std::size_t split =
        at + static_cast<std::size_t>((first + h) * a.most_splits) + blockIdx.x;
    store4(a.partial + split * dim + static_cast<std::size_t>(col), o[h]);
  }
}

constexpr int kCombineThreads = kMaxHeadDim / 4;

__global__ void __launch_bounds__(kCombineThreads) combine_kernel(const AttentionArgs a) {
  const std::size_t row = a.first + blockIdx.x;
  const auto head = static_cast<std::size_t>(blockIdx.y);
  const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
  const List list = list_of(a, a.step.positions[row], segment);
  const int splits = (list.window + list.rows + kSplitRows - 1) / kSplitRows;
  const std::size_t at = (blockIdx.x * static_cast<std::size_t>(a.heads) + head) *
                         static_cast<std::size_t>(a.most_splits);
  const float* stats = a.stats + 2 * at;
  float most = a.sink[head];
  for (int s = 0; s < splits; ++s) most = fmaxf(most, stats[2 * s]);
  float sum = expf(a.sink[head] - most);
  const int col = 4 * static_cast<int>(threadIdx.x);
  const bool inside = col < a.dim;
  float4 o = make_float4(0, 0, 0, 0);
  for (int s = 0; s < splits; ++s) {
    const float f = expf(stats[2 * s] - most);
    sum = fmaf(f, stats[2 * s + 1], sum);
    if (!inside) continue;
    const float4 v = load4(
        a.partial + (at + static_cast<std::size_t>(s)) * static_cast<std::size_t>(a.dim) + col);
    o = make_float4(fmaf(f, v.x, o.x), fmaf(f, v.y, o.y), fmaf(f, v.z, o.z), fmaf(f, v.w, o.w));
  }
  if (!inside) return;
  o = make_float4(o.x / sum, o.y / sum, o.z / sum, o.w / sum);
  const int pair = (col - (a.dim - 2 * a.rope.half)) / 2;
  if (col >= a.dim - 2 * a.rope.half) {
    const float* c = a.rope.cos + row * static_cast<std::size_t>(a.rope.half) + pair;
    const float* s = a.rope.sin + row * static_cast<std::size_t>(a.rope.half) + pair;
    o = make_float4(o.x * c[0] + o.y * s[0], o.y * c[0] - o.x * s[0], o.z * c[1] + o.w * s[1],
                    o.w * c[1] - o.z * s[1]);
  }
  store_exact(a.out, row, static_cast<int>(head) * a.dim + col, o);
}

}  // namespace

LaunchError attention(const AttentionArgs& a, Stream stream) {
  if (a.dim % 4 != 0 || a.dim > kMaxHeadDim || a.heads < 1 || a.heads > 65535 || a.window < 1 ||
      a.rope.half % 2 != 0 || a.most_splits < 1 || a.rows > 65535 ||
      a.first + a.rows > a.step.rows || (a.ratio != 0 && kPageRows % a.ratio != 0)) {
    return LaunchError::kShape;
  }
  if (a.rows == 0) return LaunchError::kNone;
  const dim3 grid(static_cast<unsigned>(a.most_splits),
                  static_cast<unsigned>((a.heads + kHeads - 1) / kHeads),
                  static_cast<unsigned>(a.rows));
  partial_kernel<<<grid, kThreads, 0, stream>>>(a);
  combine_kernel<<<dim3(static_cast<unsigned>(a.rows), static_cast<unsigned>(a.heads)),
                   kCombineThreads, 0, stream>>>(a);
  return launched();
}

}  // namespace ambit::inference::ops::cuda
