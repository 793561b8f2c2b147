// Attention over the window and the chosen compressed rows (ops/sparse_attention.h) on the matrix
// units: all heads share the rows of a token's list, so that one token is already a product of
// [heads, dim] with [dim, rows]. Rows that latents() rounded are exact in BF16, the compressed ones
// packed (592 bytes of 512 values, unpacked on their way to shared memory); queries and weights
// then go as two BF16 terms (2^-17 of each), which leaves two products. Other rows go as three
// terms, together exact, and so do queries and weights: six products.
//
// scores: grid [runs of list entries, groups of heads, rows]. A block finds its entries' addresses,
// then brings a chunk of columns of its queries and rows to shared memory as BF16, multiplies, and
// goes on; every 32 columns are added to the total by ordinary additions. Two barriers a chunk.
// values: grid [runs of columns, groups of heads, rows]. A block goes through the list: a chunk of
// weights, 2^(score - largest), and of rows, to shared memory; at the end the division, the inverse
// rotation, and the forms that wo_a reads. Two barriers a chunk.
//
// Both come in two sizes. Many rows: 64 heads by 128 entries, or by 256 columns, 8 warps of 32 × 32
// (32 × 64), so that 16 bytes of shared memory a lane serve 5 (8) matrix instructions; at most 128
// registers, two blocks a multiprocessor; a row of the list is read from memory once, and 1 + 2
// times from the cache. Few rows: 16 heads by 32 entries, or by 64 columns; a lone token is 80 and
// 32 blocks. The next chunk is on its way while one is multiplied, in registers (few rows) or,
// packed as it is, in shared memory (many). A score and an output are summed in the same order by
// both: a row's bits do not depend on them. Shared memory: 34 to 47 KiB.
#include "inference/ops/cuda/attention_tile.cuh"

namespace ambit::inference::ops::cuda {

namespace {

// Terms of queries and weights, by those of a row.
template <int kTerms>
constexpr int kLeft = kTerms == 1 ? 2 : kTermsOfFloat;

template <int kTerms>
using ManyScores = Tile<2, 4, 2, 4, 8, 32, kTerms == 1, kTerms == 1>;
template <int kTerms>
using FewScores = Tile<1, 2, 1, 2, 4, kTerms == 1 ? 256 : 128, true>;
template <int kTerms>
using ManyValues = Tile<2, kTerms == 1 ? 8 : 2, 2, 4, 8, 32, kTerms == 1, kTerms == 1>;
template <int kTerms>
using FewValues = Tile<1, 2, 1, 4, 8, kTerms == 1 ? 128 : 32, true>;

// Where a tile's operands are while they are on their way.
template <class T, int kRows, int kCols>
using Queries = std::conditional_t<T::kParked, ParkedQueries<kRows, kCols, T::kThreads>,
                                   QueryStage<kRows, kCols, T::kThreads>>;
template <class T, int kRows, int kCols, bool kPacked>
using Rows = std::conditional_t<T::kParked, ParkedRows<kRows, kCols, T::kThreads>,
                                RowStage<kRows, kCols, T::kThreads, kPacked>>;

__device__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
constexpr float kLog2E = 1.44269504F;

template <class T, int kTerms>
__global__ void __launch_bounds__(T::kThreads, T::kBlocks) scores_kernel(const AttentionArgs a) {
  constexpr int kStride = T::kChunk + kPad;
  __shared__ alignas(16) std::uint16_t q[kLeft<kTerms>][T::kHeads][kStride];
  __shared__ alignas(16) std::uint16_t k[kTerms][T::kColumns][kStride];
  __shared__ RowAddress address[T::kColumns];
  __shared__ Place places[kMaxHeadDim / 4];
  const std::size_t row = a.first + blockIdx.z;
  const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
  const PageRef* pages = segment.pages;
  const List list = list_of(a, a.step.positions[row], segment);
  const int from = static_cast<int>(blockIdx.x) * T::kColumns;
  const int n = min(T::kColumns, list.window + list.rows - from);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  // The entry of this thread, and its row where that is not chosen by the kernel before.
  const int own = from + min(thread, n - 1);
  RowAddress found = nullptr;
  if (n > 0 && thread < T::kColumns && own < list.window) found = entry(a, list, pages, row, own);
  await_before();
  if (n <= 0) return;
  const int head = static_cast<int>(blockIdx.y) * T::kHeads;
  const float* queries = a.q + row * static_cast<std::size_t>(a.heads) * a.dim;
  const Scratch scratch(a, blockIdx.z);
  using Left = Queries<T, T::kHeads, T::kChunk>;
  using Right = Rows<T, T::kColumns, T::kChunk, kTerms == 1>;
  __shared__ uint4 slots[T::kParked ? (Left::kSlots + Right::kSlots) * T::kThreads : 1];
  Left left(slots);
  Right right(slots + Left::kSlots * T::kThreads);
  const auto load_left = [&](int c) {
    left.load(c, a.dim, [&](int h) {
      return head + h < a.heads
                 ? queries + static_cast<std::size_t>(head + h) * static_cast<std::size_t>(a.dim)
                 : nullptr;
    });
  };
  const auto row_of = [&](int i) { return address[i]; };
  const auto load_right = [&](int c) { right.load(c, a.dim, &places[c / 4], row_of); };
  if (T::kAhead) load_left(0);
  for (int i = thread; i < kMaxHeadDim / 4; i += T::kThreads) {
    places[i] = place_of(4 * i, a.dim, 2 * a.rope.half);
  }
  if (thread < T::kColumns) {
    if (own >= list.window) found = entry(a, list, pages, row, own);
    address[thread] = found;
    if (head == 0) scratch.addresses[from + thread] = found;
  }
  const int m = warp % T::kWarpsM * 16 * T::kM, e = warp / T::kWarpsM * 8 * T::kN;
  float total[T::kM][T::kN][4] = {};
  __syncthreads();
  if (T::kAhead) load_right(0);
  if (T::kParked) end_copies();
  for (int c = 0; c < a.dim; c += T::kChunk) {
    if (!T::kAhead) {
      load_left(c);
      load_right(c);
    }
    if (T::kParked) await_copies<0>();
    __syncthreads();
    left.template store<kLeft<kTerms>>(&q[0][0][0], kStride, T::kHeads * kStride);
    right.template store<kTerms>(&k[0][0][0], kStride, T::kColumns * kStride, &places[c / 4]);
    __syncthreads();
    if (T::kAhead && c + T::kChunk < a.dim) {
      load_left(c + T::kChunk);
      load_right(c + T::kChunk);
      if (T::kParked) end_copies();
    }
    if (warp >= T::kWarpsM * T::kWarpsN) continue;
#pragma unroll(T::kAhead ? 4 : 1)
    for (int s = 0; s < min(T::kChunk, a.dim - c); s += 32) {
      float acc[T::kM][T::kN][4] = {};
#pragma unroll
      for (int half = s; half < s + 32; half += 16) {
        multiply_tiles<false, kLeft<kTerms>, kTerms>(&q[0][m][half], kStride, T::kHeads * kStride,
                                                     &k[0][e][half], kStride, T::kColumns * kStride,
                                                     acc);
      }
#pragma unroll
      for (int i = 0; i < T::kM * T::kN * 4; ++i) (&total[0][0][0])[i] += (&acc[0][0][0])[i];
    }
  }
  if (warp >= T::kWarpsM * T::kWarpsN) return;
  const float scale = kLog2E / sqrtf(static_cast<float>(a.dim));
#pragma unroll
  for (int i = 0; i < T::kM; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const auto h = static_cast<std::size_t>(head + m + 16 * i + 8 * half + lane / 4);
      float* to = scratch.scores + h * a.most + from + e + 2 * (lane % 4);
      float most = -INFINITY;
#pragma unroll
      for (int j = 0; j < T::kN; ++j) {
        const float x = total[i][j][2 * half] * scale, y = total[i][j][2 * half + 1] * scale;
        *reinterpret_cast<float2*>(to + 8 * j) = make_float2(x, y);
        most = fmaxf(most, fmaxf(x, y));
      }
      most = group_max<4>(most);
      if (lane % 4 == 0) {
        scratch.maxima[h * (a.most / kLeastRun) + (from + e) / (8 * T::kN)] = most;
      }
    }
  }
}

template <class T, int kTerms, int kRun>
__global__ void __launch_bounds__(T::kThreads, T::kBlocks) values_kernel(const AttentionArgs a) {
  constexpr int kStride = T::kChunk + kPad, kRowStride = T::kColumns + kPad;
  constexpr int kOwn = T::kHeads / T::kWarps, kRuns = T::kChunk / kWarp;
  __shared__ alignas(16) std::uint16_t p[kLeft<kTerms>][T::kHeads][kStride];
  // Two buffers of rows: they come while other warps still multiply. Parked rows need but one.
  constexpr int kBuffers = T::kParked ? 1 : 2;
  __shared__ alignas(16) std::uint16_t v[kBuffers][kTerms][T::kChunk][kRowStride];
  __shared__ alignas(16) RowAddress address[2][T::kChunk];
  __shared__ Place places[T::kColumns / 4];
  __shared__ float largest[T::kHeads], sums[T::kHeads];
  expect(a.sink, static_cast<std::size_t>(a.heads));
  const std::size_t row = a.first + blockIdx.z;
  int n;  // entries
  {
    const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
    const List list = list_of(a, a.step.positions[row], segment);
    n = list.window + list.rows;
  }
  await_before();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const int head = static_cast<int>(blockIdx.y) * T::kHeads;
  const int from = static_cast<int>(blockIdx.x) * T::kColumns;
  const Scratch scratch(a, blockIdx.z);
  const auto find = [&](int c) {
    return thread < T::kChunk ? scratch.addresses[min(c + thread, n - 1)] : nullptr;
  };
  if (thread < T::kColumns / 4)
    places[thread] = place_of(from + 4 * thread, a.dim, 2 * a.rope.half);
  if (thread < T::kChunk) address[0][thread] = find(0);
  RowAddress following = nullptr;  // of the next chunk
  if (T::kParked) {
    if (thread < T::kChunk) address[1][thread] = find(T::kChunk);
  } else if (T::kAhead) {
    following = find(T::kChunk);
  }
  // A warp makes the weights of heads [own, own + kOwn), half of it those of every other head.
  const int own = warp * kOwn;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    const float* maxima =
        scratch.maxima + static_cast<std::size_t>(head + own + i) * (a.most / kLeastRun);
    float most = a.sink[min(head + own + i, a.heads - 1)] * kLog2E;
    for (int r = lane; r * kRun < n; r += kWarp) most = fmaxf(most, maxima[r]);
    most = group_max<kWarp>(most);
    if (lane == 0) largest[own + i] = most;
  }
  const float* scores =
      scratch.scores + static_cast<std::size_t>(head + own + lane / 16) * a.most + lane % 16 * 2;
  const auto next = static_cast<unsigned>(2 * a.most);
  float sum[kOwn / 2] = {};
  const int m = warp % T::kWarpsM * 16 * T::kM, col = warp / T::kWarpsM * 8 * T::kN;
  float acc[T::kM][T::kN][4] = {};
  // Halves of a chunk's rows.
  using Half = Rows<T, T::kChunk / 2, T::kColumns, kTerms == 1>;
  __shared__ uint4 slots[T::kParked ? 2 * Half::kSlots * T::kThreads : 1];
  Half upper(slots), lower(slots + Half::kSlots * T::kThreads);
  float2 score[kRuns][kOwn / 2];
  const auto load_scores = [&](int c) {
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
#pragma unroll
      for (int i = 0; i < kOwn / 2; ++i) {
        score[r][i] = *reinterpret_cast<const float2*>(scores + i * next + c + r * kWarp);
      }
    }
  };
  const auto load_half = [&](auto& half, int first, int turn) {
    half.load(from, a.dim, places, [&](int i) { return address[turn][first + i]; });
  };
  const auto store_half = [&](const auto& half, int first, int turn) {
    half.template store<kTerms>(&v[turn % kBuffers][0][first][0], kRowStride,
                                T::kChunk * kRowStride, places);
  };
  __syncthreads();
  if (T::kAhead) {
    load_scores(0);
    load_half(upper, 0, 0);
    load_half(lower, T::kChunk / 2, 0);
    if (T::kParked) end_copies();
  }
  for (int c = 0; c < n; c += T::kChunk) {
    const int turn = c / T::kChunk & 1;
    if (!T::kAhead) {
      load_half(upper, 0, turn);
      load_scores(c);
    }
    // Read last before both barriers of the chunk before.
    if (!T::kParked && thread < T::kChunk) {
      address[turn ^ 1][thread] = T::kAhead ? following : find(c + T::kChunk);
    }
    if (!T::kParked) store_half(upper, 0, turn);
    if (!T::kAhead) load_half(lower, T::kChunk / 2, turn);
    unsigned weights[kRuns][kOwn / 2][kLeft<kTerms>];
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
      const int e = c + r * kWarp + lane % 16 * 2;
#pragma unroll
      for (int i = 0; i < kOwn / 2; ++i) {
        const float most = largest[own + 2 * i + lane / 16];
        float x = e < n ? power_of_two(score[r][i].x - most) : 0.0F;
        float y = e + 1 < n ? power_of_two(score[r][i].y - most) : 0.0F;
        sum[i] += x + y;
#pragma unroll
        for (unsigned& bits : weights[r][i]) {
          bits = bf16_pair(x, y);
          x -= __uint_as_float(bits << 16);
          y -= __uint_as_float(bits & 0xFFFF0000U);
        }
      }
    }
    if (T::kParked) {
      await_copies<0>();
    } else {
      store_half(lower, T::kChunk / 2, turn);
    }
    __syncthreads();
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
#pragma unroll
      for (int i = 0; i < kOwn / 2; ++i) {
#pragma unroll
        for (int term = 0; term < kLeft<kTerms>; ++term) {
          *reinterpret_cast<unsigned*>(
              &p[term][own + 2 * i + lane / 16][r * kWarp + lane % 16 * 2]) = weights[r][i][term];
        }
      }
    }
    if (T::kParked) {
      store_half(upper, 0, turn);
      store_half(lower, T::kChunk / 2, turn);
    }
    __syncthreads();
    if (T::kAhead && c + T::kChunk < n) {
      load_scores(c + T::kChunk);
      if (!T::kParked) {
        following = find(c + 2 * T::kChunk);
      } else if (thread < T::kChunk / 2 && c + 2 * T::kChunk < n) {
        copy16(&address[turn][2 * thread], scratch.addresses + c + 2 * T::kChunk + 2 * thread);
      }
      load_half(upper, 0, turn ^ 1);
      load_half(lower, T::kChunk / 2, turn ^ 1);
      if (T::kParked) end_copies();
    }
    if (warp >= T::kWarpsM * T::kWarpsN) continue;
#pragma unroll(T::kAhead && !T::kParked ? 2 : 1)
    for (int s = 0; s < min(T::kChunk, n - c); s += 16) {
      multiply_tiles<true, kLeft<kTerms>, kTerms>(&p[0][m][s], kStride, T::kHeads * kStride,
                                                  &v[turn % kBuffers][0][s][col], kRowStride,
                                                  T::kChunk * kRowStride, acc);
    }
  }
#pragma unroll
  for (int i = 0; i < kOwn / 2; ++i) {
#pragma unroll
    for (int step = 8; step > 0; step /= 2) sum[i] += __shfl_xor_sync(kAllLanes, sum[i], step);
    const int h = own + 2 * i + lane / 16;
    if (lane % 16 == 0) {
      const float sink = a.sink[min(head + h, a.heads - 1)] * kLog2E;
      sums[h] = sum[i] + power_of_two(sink - largest[h]);
    }
  }
  __syncthreads();
  if (warp >= T::kWarpsM * T::kWarpsN) return;
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
      const float part = 1.0F / sums[h];
      o = make_float4(o.x * part, o.y * part, o.z * part, o.w * part);
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
LaunchError launch_both(const AttentionArgs& a, Stream stream) {
  static_assert(kScoreRun % Scores::kColumns == 0 && kHeadRun % Scores::kHeads == 0 &&
                Scores::kHeads == Values::kHeads && 8 * Scores::kN >= kLeastRun);
  const LaunchError error = launch(scores_kernel<Scores, kTerms>, grid_of<Scores>(a, a.most),
                                   Scores::kThreads, 0, stream, a);
  if (error != LaunchError::kNone) return error;
  return launch(values_kernel<Values, kTerms, 8 * Scores::kN>,
                grid_of<Values>(a, static_cast<std::size_t>(a.dim)), Values::kThreads, 0, stream,
                a);
}

template <int kTerms>
LaunchError launch_tiles(const AttentionArgs& a, Stream stream) {
  // From so many rows on, large tiles fill a card.
  constexpr std::size_t kMany = 24;
  using Few = FewScores<kTerms>;
  return a.rows < kMany || a.heads <= Few::kHeads
             ? launch_both<Few, FewValues<kTerms>, kTerms>(a, stream)
             : launch_both<ManyScores<kTerms>, ManyValues<kTerms>, kTerms>(a, stream);
}

}  // namespace

LaunchError attention(const AttentionArgs& a, Stream stream) {
  if (a.dim % 4 != 0 || a.dim > kMaxHeadDim || a.heads < 1 || a.heads > 65535 || a.window < 1 ||
      a.rope.half % 2 != 0 || a.most < 1 || a.most % kScoreRun != 0 || a.rows > 65535 ||
      a.row_bytes % 16 != 0 || (a.rounded && (a.dim - 2 * a.rope.half) % 64 != 0) ||
      a.first + a.rows > a.step.rows || (a.ratio != 0 && kPageRows % a.ratio != 0)) {
    return LaunchError::kShape;
  }
  if (a.rows == 0) return LaunchError::kNone;
  return a.rounded ? launch_tiles<1>(a, stream) : launch_tiles<kTermsOfFloat>(a, stream);
}

}  // namespace ambit::inference::ops::cuda
