// Attention over the window and the chosen compressed rows (ops/sparse_attention.h) on the matrix
// units: all heads share the rows of a token's list, so that one token is already a product of
// [heads, dim] with [dim, rows]. fp32 operands go as three BF16 terms; rows that latents() rounded
// are exact in one, which leaves three products, and else six (kTerms: of a row).
//
// scores: grid [runs of list entries, groups of heads, rows]. A block brings a chunk of columns of
// its queries and of its entries' rows to shared memory as BF16, multiplies, and goes on; every 32
// columns are added to the total by ordinary additions. Two barriers a chunk.
// values: grid [runs of columns, groups of heads, rows]. A block finds its heads' largest scores,
// then goes through the list: a chunk of weights, exp(score - largest), as three BF16 terms, and of
// rows, to shared memory; sums of weights in registers; at the end the division, the inverse
// rotation, and the forms that wo_a reads. Two barriers a chunk.
//
// Both come in two sizes. Many rows: 64 heads by 128 entries, or by 256 columns (128 with kTerms
// 3), 8 warps of 32 × 32 (32 × 64), so that 16 bytes of shared memory a lane serve 6 (8) matrix
// instructions; at most 128 registers, two blocks a multiprocessor; a KV row is read from memory
// once, and 1 + 2 times from the cache. Few rows: 16 heads by 32 entries, or by 64 columns, 4
// warps, so that a lone token is 80 (32) blocks; larger chunks, to have more bytes on the way. A
// score and an output are summed in the same order by both: a row's bits do not depend on them.
// Shared memory: 32 to 47 KiB.
#include "inference/ops/cuda/mma.cuh"

namespace ambit::inference::ops::cuda {

namespace {

// kM · 16 heads by kN · 8 entries or columns a warp, kWarpsM × kWarpsN warps that multiply.
template <int kM_, int kN_, int kWarpsM_, int kWarpsN_, int kWarps_, int kChunk_>
struct Tile {
  static constexpr int kM = kM_, kN = kN_, kWarpsM = kWarpsM_, kWarpsN = kWarpsN_;
  static constexpr int kThreads = kWarps_ * kWarp;  // all of them load
  static constexpr int kHeads = 16 * kM * kWarpsM, kColumns = 8 * kN * kWarpsN;
  static constexpr int kChunk = kChunk_;  // of what is summed over
  // Few rows: registers are there for the next chunk while this one is multiplied. Many: another
  // block of the multiprocessor multiplies while this one waits.
  static constexpr bool kAhead = kWarps_ < 8;
  static constexpr int kBlocks = kAhead ? 1 : 2;  // a multiprocessor, at the least
  static_assert(kWarpsM * kWarpsN <= kWarps_ && kChunk % 32 == 0);
};
template <int kTerms>
using ManyScores = Tile<2, 4, 2, 4, 8, kTerms == 1 ? 64 : 32>;
template <int kTerms>
using FewScores = Tile<1, 2, 1, 2, 4, kTerms == 1 ? 256 : 128>;
template <int kTerms>
using ManyValues = Tile<2, kTerms == 1 ? 8 : 2, 2, 4, 8, 32>;
template <int kTerms>
using FewValues = Tile<1, 2, 1, 4, 4, kTerms == 1 ? 128 : 64>;

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

// Columns [from, from + kCols) of kRows rows of floats to shared memory as terms: first all loads,
// then a barrier, so that other warps may still read what is there. row(i): its address, or null
// for zeros, which also stand for columns from `end` on. kSettled: not written by the kernel
// before.
template <int kRows, int kCols, int kThreads, bool kSettled>
struct Stage {
  static constexpr int kEach = kRows * kCols / 4 / kThreads;
  static_assert(kEach * kThreads * 4 == kRows * kCols);
  float4 x[kEach];

  template <class Row>
  __device__ void load(int from, int end, const Row& row) {
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const int i = 4 * (static_cast<int>(threadIdx.x) + j * kThreads);
      const float* p = row(i / kCols);
      const int col = from + i % kCols;
      if (p == nullptr || col >= end) {
        x[j] = make_float4(0, 0, 0, 0);
      } else if constexpr (kSettled) {
        x[j] = __ldg(reinterpret_cast<const float4*>(p + col));
      } else {
        x[j] = load4(p + col);
      }
    }
  }
  template <int kTerms>
  __device__ void store(std::uint16_t* tile, int stride) const {
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const int i = 4 * (static_cast<int>(threadIdx.x) + j * kThreads);
      store_terms<kTerms>(tile + i / kCols * stride + i % kCols,
                          static_cast<std::size_t>(kRows * stride), x[j]);
    }
  }
};

// The scores of a head of a block's row. They have room for whole runs of heads and entries, so
// that no tile ends early; what stands behind the ends is never read into what counts.
template <class T>
__device__ float* scores_of(const AttentionArgs& a, int head) {
  return a.scores + (static_cast<std::size_t>(blockIdx.z * gridDim.y) * T::kHeads +
                     static_cast<std::size_t>(head)) *
                        a.most;
}

template <class T, int kTerms>
__global__ void __launch_bounds__(T::kThreads, T::kBlocks) scores_kernel(const AttentionArgs a) {
  constexpr int kStride = T::kChunk + kPad;
  __shared__ alignas(16) std::uint16_t q[kTermsOfFloat][T::kHeads][kStride];
  __shared__ alignas(16) std::uint16_t k[kTerms][T::kColumns][kStride];
  __shared__ const float* address[T::kColumns];
  const std::size_t row = a.first + blockIdx.z;
  const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
  const List list = list_of(a, a.step.positions[row], segment);
  const int from = static_cast<int>(blockIdx.x) * T::kColumns;
  const int n = min(T::kColumns, list.window + list.rows - from);
  if (n <= 0) return;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const int head = static_cast<int>(blockIdx.y) * T::kHeads;
  const float* queries = a.q + row * static_cast<std::size_t>(a.heads) * a.dim;
  if (thread < T::kColumns) {
    address[thread] = entry(a, list, segment, row, from + min(thread, n - 1));
  }
  const int m = warp % T::kWarpsM * 16 * T::kM, e = warp / T::kWarpsM * 8 * T::kN;
  float total[T::kM][T::kN][4] = {};
  Stage<T::kHeads, T::kChunk, T::kThreads, false> left;
  Stage<T::kColumns, T::kChunk, T::kThreads, true> right;
  const auto load = [&](int c) {
    left.load(c, a.dim, [&](int h) {
      return head + h < a.heads
                 ? queries + static_cast<std::size_t>(head + h) * static_cast<std::size_t>(a.dim)
                 : nullptr;
    });
    right.load(c, a.dim, [&](int i) { return address[i]; });
  };
  __syncthreads();
  if (T::kAhead) load(0);
  for (int c = 0; c < a.dim; c += T::kChunk) {
    if (!T::kAhead) load(c);
    __syncthreads();
    left.template store<kTermsOfFloat>(&q[0][0][0], kStride);
    right.template store<kTerms>(&k[0][0][0], kStride);
    __syncthreads();
    if (T::kAhead && c + T::kChunk < a.dim) load(c + T::kChunk);
    if (warp >= T::kWarpsM * T::kWarpsN) continue;
#pragma unroll(T::kAhead ? 4 : 1)
    for (int s = 0; s < min(T::kChunk, a.dim - c); s += 32) {
      float acc[T::kM][T::kN][4] = {};
#pragma unroll
      for (int half = s; half < s + 32; half += 16) {
        multiply_tiles<false, kTerms>(&q[0][m][half], kStride, T::kHeads * kStride, &k[0][e][half],
                                      kStride, T::kColumns * kStride, acc);
      }
#pragma unroll
      for (int i = 0; i < T::kM * T::kN * 4; ++i) (&total[0][0][0])[i] += (&acc[0][0][0])[i];
    }
  }
  if (warp >= T::kWarpsM * T::kWarpsN) return;
  const float scale = 1.0F / sqrtf(static_cast<float>(a.dim));
#pragma unroll
  for (int i = 0; i < T::kM; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int h = head + m + 16 * i + 8 * half + lane / 4;
      float* to = scores_of<T>(a, h) + from + e + 2 * (lane % 4);
#pragma unroll
      for (int j = 0; j < T::kN; ++j) {
        const float* x = total[i][j] + 2 * half;
        *reinterpret_cast<float2*>(to + 8 * j) = make_float2(x[0] * scale, x[1] * scale);
      }
    }
  }
}

template <class T, int kTerms>
__global__ void __launch_bounds__(T::kThreads, T::kBlocks) values_kernel(const AttentionArgs a) {
  constexpr int kStride = T::kChunk + kPad, kRowStride = T::kColumns + kPad;
  constexpr int kWarps = T::kThreads / kWarp, kOwn = T::kHeads / kWarps, kRuns = T::kChunk / kWarp;
  static_assert(kWarps == T::kWarpsM * T::kWarpsN);
  // Two buffers of weights: they are made while other warps still multiply.
  __shared__ alignas(16) std::uint16_t p[2][kTermsOfFloat][T::kHeads][kStride];
  __shared__ alignas(16) std::uint16_t v[kTerms][T::kChunk][kRowStride];
  __shared__ const float* address[2][T::kChunk];
  __shared__ float largest[T::kHeads], sums[T::kHeads];
  const std::size_t row = a.first + blockIdx.z;
  const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
  const List list = list_of(a, a.step.positions[row], segment);
  const int n = list.window + list.rows;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const int head = static_cast<int>(blockIdx.y) * T::kHeads;
  const int from = static_cast<int>(blockIdx.x) * T::kColumns;
  const auto find = [&](int c, int turn) {
    if (thread < T::kChunk) {
      address[turn][thread] = entry(a, list, segment, row, min(c + thread, n - 1));
    }
  };
  find(0, 0);
  // A warp makes the weights of heads `warp`, `warp` + kWarps, …, a lane those of every 32nd entry.
  const float* scores = scores_of<T>(a, head + warp);
  const auto next = static_cast<unsigned>(kWarps * a.most);
  float sum = 0;  // of the head that lane / (kWarp / kOwn) names
  {
    float most[kOwn];
#pragma unroll
    for (int i = 0; i < kOwn; ++i) most[i] = a.sink[min(head + warp + i * kWarps, a.heads - 1)];
    for (int e = lane; e < n; e += kWarp) {
#pragma unroll
      for (int i = 0; i < kOwn; ++i) most[i] = fmaxf(most[i], scores[i * next + e]);
    }
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      most[i] = group_max<kWarp>(most[i]);
      if (lane == 0) largest[warp + i * kWarps] = most[i];
    }
  }
  const int m = warp % T::kWarpsM * 16 * T::kM, col = warp / T::kWarpsM * 8 * T::kN;
  float acc[T::kM][T::kN][4] = {};
  Stage<T::kChunk, T::kColumns, T::kThreads, true> right;
  float score[kRuns][kOwn];
  const auto load_scores = [&](int c) {
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
#pragma unroll
      for (int i = 0; i < kOwn; ++i)
        score[r][i] = scores[i * next + static_cast<unsigned>(c + r * kWarp + lane)];
    }
  };
  const auto load_rows = [&](int turn) {
    right.load(from, a.dim, [&](int i) { return address[turn][i]; });
  };
  __syncthreads();
  if (T::kAhead) {
    load_scores(0);
    load_rows(0);
  }
  for (int c = 0, turn = 0; c < n; c += T::kChunk, turn ^= 1) {
    std::uint16_t(&weights)[kTermsOfFloat][T::kHeads][kStride] = p[turn];
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
      const int e = r * kWarp + lane;
      float weight[kOwn];
#pragma unroll
      for (int i = 0; i < kOwn; ++i) {
        const int h = warp + i * kWarps;
        weight[i] = 0;
        if (c + e < n) {
          weight[i] = expf((T::kAhead ? score[r][i] : scores[i * next + c + e]) - largest[h]);
        }
        float rest = weight[i];
#pragma unroll
        for (int term = 0; term < kTermsOfFloat; ++term) {
          const std::uint16_t bits = bf16_bits(rest);
          weights[term][h][e] = bits;
          rest -= bf16_value(bits);
        }
      }
      sum += warp_sums<kOwn>(weight);
    }
    if (!T::kAhead) load_rows(turn);
    __syncthreads();
    right.template store<kTerms>(&v[0][0][0], kRowStride);
    find(c + T::kChunk, turn ^ 1);
    __syncthreads();
    if (T::kAhead && c + T::kChunk < n) {
      load_scores(c + T::kChunk);
      load_rows(turn ^ 1);
    }
#pragma unroll(T::kAhead ? 2 : 1)
    for (int s = 0; s < min(T::kChunk, n - c); s += 16) {
      multiply_tiles<true, kTerms>(&weights[0][m][s], kStride, T::kHeads * kStride, &v[0][s][col],
                                   kRowStride, T::kChunk * kRowStride, acc);
    }
  }
  if (lane % (kWarp / kOwn) == 0) {
    const int h = warp + lane / (kWarp / kOwn) * kWarps;
    sums[h] = sum + expf(a.sink[min(head + h, a.heads - 1)] - largest[h]);
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < T::kM; ++i) {
#pragma unroll
    for (int j = 0; j < T::kN; ++j) {
      // Two lanes trade, so that one has four columns of row g, the other of row g + 8.
      const float* x = acc[i][j];
      const bool odd = lane % 2 != 0;
      const float one = __shfl_xor_sync(kAllLanes, odd ? x[0] : x[2], 1);
      const float two = __shfl_xor_sync(kAllLanes, odd ? x[1] : x[3], 1);
      const int h = m + 16 * i + lane / 4 + (odd ? 8 : 0);
      const int at = from + col + 8 * j + lane % 4 / 2 * 4;
      if (head + h >= a.heads || at >= a.dim) continue;
      float4 o = odd ? make_float4(one, two, x[2], x[3]) : make_float4(x[0], x[1], one, two);
      o = make_float4(o.x / sums[h], o.y / sums[h], o.z / sums[h], o.w / sums[h]);
      if (at >= a.dim - 2 * a.rope.half) {
        const int pair = (at - (a.dim - 2 * a.rope.half)) / 2;
        const float* cos = a.rope.cos + row * static_cast<std::size_t>(a.rope.half) + pair;
        const float* sin = a.rope.sin + row * static_cast<std::size_t>(a.rope.half) + pair;
        o = make_float4(o.x * cos[0] + o.y * sin[0], o.y * cos[0] - o.x * sin[0],
                        o.z * cos[1] + o.w * sin[1], o.w * cos[1] - o.z * sin[1]);
      }
      store_exact(a.out, row, (head + h) * a.dim + at, o);
    }
  }
}

template <class T>
dim3 grid_of(const AttentionArgs& a, std::size_t columns) {
  return {static_cast<unsigned>((columns + T::kColumns - 1) / T::kColumns),
          static_cast<unsigned>((a.heads + T::kHeads - 1) / T::kHeads),
          static_cast<unsigned>(a.rows)};
}

template <class Scores, class Values, int kTerms>
LaunchError launch(const AttentionArgs& a, Stream stream) {
  static_assert(kScoreRun % Scores::kColumns == 0 && kHeadRun % Scores::kHeads == 0 &&
                Scores::kHeads == Values::kHeads);
  scores_kernel<Scores, kTerms><<<grid_of<Scores>(a, a.most), Scores::kThreads, 0, stream>>>(a);
  values_kernel<Values, kTerms>
      <<<grid_of<Values>(a, static_cast<std::size_t>(a.dim)), Values::kThreads, 0, stream>>>(a);
  return launched();
}

template <int kTerms>
LaunchError launch(const AttentionArgs& a, Stream stream) {
  // From so many rows on, large tiles fill a card.
  constexpr std::size_t kMany = 24;
  using Few = FewScores<kTerms>;
  return a.rows < kMany || a.heads <= Few::kHeads
             ? launch<Few, FewValues<kTerms>, kTerms>(a, stream)
             : launch<ManyScores<kTerms>, ManyValues<kTerms>, kTerms>(a, stream);
}

}  // namespace

LaunchError attention(const AttentionArgs& a, Stream stream) {
  if (a.dim % 4 != 0 || a.dim > kMaxHeadDim || a.heads < 1 || a.heads > 65535 || a.window < 1 ||
      a.rope.half % 2 != 0 || a.most < 1 || a.most % kScoreRun != 0 || a.rows > 65535 ||
      a.first + a.rows > a.step.rows || (a.ratio != 0 && kPageRows % a.ratio != 0)) {
    return LaunchError::kShape;
  }
  if (a.rows == 0) return LaunchError::kNone;
  return a.rounded ? launch<1>(a, stream) : launch<kTermsOfFloat>(a, stream);
}

}  // namespace ambit::inference::ops::cuda
