// What both kernels of attention.cu share: sizes of tiles, a token's list of rows, scratch, and
// tiles on their way to shared memory.
#pragma once

#include "inference/ops/cuda/mma.cuh"

namespace ambit::inference::ops::cuda {

// kM · 16 heads by kN · 8 entries or columns a warp, kWarpsM × kWarpsN warps that multiply.
template <int kM_, int kN_, int kWarpsM_, int kWarpsN_, int kWarps_, int kChunk_, bool kAhead_>
struct Tile {
  static constexpr int kM = kM_, kN = kN_, kWarpsM = kWarpsM_, kWarpsN = kWarpsN_;
  static constexpr int kWarps = kWarps_, kThreads = kWarps * kWarp;  // all of them load
  static constexpr int kHeads = 16 * kM * kWarpsM, kColumns = 8 * kN * kWarpsN;
  static constexpr int kChunk = kChunk_;  // of what is summed over
  // Few rows: registers are there for the next chunk while this one is multiplied. Many: another
  // block of the multiprocessor multiplies while this one waits.
  static constexpr bool kAhead = kAhead_;
  static constexpr int kBlocks = kAhead ? 1 : 2;  // a multiprocessor, at the least
  static_assert(kWarpsM * kWarpsN <= kWarps && kChunk % 32 == 0);
};

struct List {
  std::int64_t window_from;  // first position of the window
  int window, rows;          // entries of each kind
};

__device__ inline List list_of(const AttentionArgs& a, std::int64_t position,
                               const SegmentRef& segment) {
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

// The address of list entry i. Its own loads: up to two, one after the other.
__device__ inline const float* entry(const AttentionArgs& a, const List& l, const PageRef* pages,
                                     std::size_t row, int i) {
  if (i < l.window) {
    const std::int64_t p = l.window_from + i;
    return pages[p / kPageRows].window + a.window_at + p % kPageRows * a.dim;
  }
  int c = i - l.window;
  if (a.selected != nullptr) c = a.selected[row * static_cast<std::size_t>(a.top) + c];
  const int in_page = kPageRows / a.ratio;  // a power of two
  return pages[c >> (31 - __clz(in_page))].rows + a.rows_at +
         static_cast<std::size_t>((c & (in_page - 1)) * a.dim);
}

// One row's part of a.scores (launch.h): the scores of each head, as powers of two's exponents; the
// largest of each run of them; the addresses of the list's rows. There is room for whole runs of
// heads and entries, so that no tile ends early: what stands behind the ends is not read into
// what counts.
struct Scratch {
  float* scores;
  float* maxima;
  const float** addresses;

  __device__ Scratch(const AttentionArgs& a, std::size_t row) {
    const auto heads = static_cast<std::size_t>((a.heads + kHeadRun - 1) / kHeadRun * kHeadRun);
    scores = a.scores + row * (heads + heads / kLeastRun + 2) * a.most;
    maxima = scores + heads * a.most;
    addresses = reinterpret_cast<const float**>(maxima + heads / kLeastRun * a.most);
  }
};

// Columns [from, from + kCols) of kRows rows of floats to shared memory as BF16 terms: all loads
// first, then, when other warps have done with what is there, all stores. row(i): its address, or
// null for zeros, which also stand for columns from `end` on. kSettled: not written by the kernel
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
  __device__ void store(std::uint16_t* tile, int stride, int plane) const {
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const int i = 4 * (static_cast<int>(threadIdx.x) + j * kThreads);
      store_terms<kTerms>(tile + i / kCols * stride + i % kCols, static_cast<std::size_t>(plane),
                          x[j]);
    }
  }
};

}  // namespace ambit::inference::ops::cuda
