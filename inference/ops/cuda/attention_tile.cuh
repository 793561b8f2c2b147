// What both kernels of attention.cu share: sizes of tiles, a token's list of rows, scratch, and
// tiles on their way to shared memory.
#pragma once

#include <type_traits>

#include "inference/ops/cuda/mma.cuh"
#include "inference/ops/cuda/packed.cuh"

namespace ambit::inference::ops::cuda {

// kM · 16 heads by kN · 8 entries or columns a warp, kWarpsM × kWarpsN warps that multiply.
template <int kM_, int kN_, int kWarpsM_, int kWarpsN_, int kWarps_, int kChunk_, bool kAhead_,
          bool kParked_ = false>
struct Tile {
  static constexpr int kM = kM_, kN = kN_, kWarpsM = kWarpsM_, kWarpsN = kWarpsN_;
  static constexpr int kWarps = kWarps_, kThreads = kWarps * kWarp;  // all of them load
  static constexpr int kHeads = 16 * kM * kWarpsM, kColumns = 8 * kN * kWarpsN;
  static constexpr int kChunk = kChunk_;  // of what is summed over
  // The next chunk is on its way while this one is multiplied: in registers, which few rows leave
  // free, or parked in shared memory, where rows are packed. Else another block of the
  // multiprocessor multiplies while this one waits.
  static constexpr bool kAhead = kAhead_, kParked = kParked_;
  static_assert(kAhead || !kParked);
  static constexpr int kBlocks = kWarpsM * kWarpsN == 8 ? 2 : 1;  // a multiprocessor, at the least
  static_assert(kWarpsM * kWarpsN <= kWarps && kChunk % 32 == 0);
};

struct List {
  std::int64_t window_from;  // first position of the window
  int window, rows;          // entries of each kind
};

__device__ inline List list_of(const AttentionArgs& a, std::int64_t position,
                               const SegmentRef& segment) {
  List l;
  const bool mutual = segment.mutual != 0;
  const std::int64_t from = (mutual ? segment.start : position + 1) - a.window;
  const std::int64_t end = mutual ? segment.start + segment.count : position + 1;
  l.window_from = from > segment.first_position ? from : segment.first_position;
  l.window = static_cast<int>(end - l.window_from);
  l.rows = 0;
  if (a.ratio != 0) {
    const std::int64_t visible = (position + 1) / a.ratio;
    l.rows = static_cast<int>(a.selected != nullptr && visible > a.top ? a.top : visible);
  }
  return l;
}

// A row of the list, floats or packed.
using RowAddress = const std::uint8_t*;

// The row of list entry i. Its own loads: up to two, one after the other.
__device__ inline RowAddress entry(const AttentionArgs& a, const List& l, const PageRef* pages,
                                   std::size_t row, int i) {
  if (i < l.window) {
    const std::int64_t p = l.window_from + i;
    return reinterpret_cast<RowAddress>(pages[p / kPageRows].window + a.window_at +
                                        p % kPageRows * a.dim);
  }
  int c = i - l.window;
  if (a.selected != nullptr) c = a.selected[row * static_cast<std::size_t>(a.top) + c];
  const int in_page = kPageRows / a.ratio;  // a power of two
  return reinterpret_cast<RowAddress>(pages[c >> (31 - __clz(in_page))].rows) + a.rows_at +
         static_cast<std::size_t>(c & (in_page - 1)) * a.row_bytes;
}

// One row's part of a.scores (launch.h): the scores of each head, as powers of two's exponents; the
// largest of each run of them; the addresses of the list's rows. There is room for whole runs of
// heads and entries, so that no tile ends early: what stands behind the ends is not read into
// what counts.
struct Scratch {
  float* scores;
  float* maxima;
  RowAddress* addresses;

  __device__ Scratch(const AttentionArgs& a, std::size_t row) {
    const auto heads = static_cast<std::size_t>((a.heads + kHeadRun - 1) / kHeadRun * kHeadRun);
    scores = a.scores + row * (heads + heads / kLeastRun + 2) * a.most;
    maxima = scores + heads * a.most;
    addresses = reinterpret_cast<RowAddress*>(maxima + heads / kLeastRun * a.most);
  }
};

// Columns [from, from + kCols) of kRows rows to shared memory as BF16 terms: all loads first, then,
// when other warps have done with what is there, all stores. Columns from `end` on are zeros.
// row(i): the same for both.
template <int kRows_, int kCols_, int kThreads, int kWide = 4>
struct Pieces {
  static constexpr int kRows = kRows_, kCols = kCols_, kEach = kRows * kCols / kWide / kThreads;
  static_assert(kEach * kThreads * kWide == kRows * kCols);
  // Calls f(which of this thread's pieces, row, column) for each kWide columns.
  template <class F>
  __device__ static void each(const F& f) {
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const int i = kWide * (static_cast<int>(threadIdx.x) + j * kThreads);
      f(j, i / kCols, i % kCols);
    }
  }
};

// Of floats that the kernel before may have written; row(i) is null for zeros.
template <int kRows, int kCols, int kThreads>
struct QueryStage {
  using P = Pieces<kRows, kCols, kThreads>;
  static constexpr int kSlots = 0;
  float4 x[P::kEach];

  __device__ explicit QueryStage(uint4*) {}

  template <class Row>
  __device__ void load(int from, int end, const Row& row) {
    P::each([&](int j, int r, int col) {
      const float* p = row(r);
      x[j] = p != nullptr && from + col < end ? load4(p + from + col) : make_float4(0, 0, 0, 0);
    });
  }
  template <int kTerms>
  __device__ void store(std::uint16_t* tile, int stride, int plane) const {
    P::each([&](int j, int r, int col) {
      store_terms<kTerms>(tile + r * stride + col, static_cast<std::size_t>(plane), x[j]);
    });
  }
};

// Where a packed row has four columns: its bytes, and that of their scale; kBf16 for the last
// columns, which have none, kNone behind the end.
struct Place {
  int at, scale;
};
inline constexpr int kBf16 = -1, kNone = -2;
__device__ inline Place place_of(int col, int dim, int rope) {
  const int flat = dim - rope;
  if (col >= dim) return {0, kNone};
  if (col >= flat) return {flat + 2 * (col - flat), kBf16};
  return {col, flat + 2 * rope + col / 64};
}

// Of the list's rows, which were settled kernels ago. kPacked: they are packed and so exact in one
// term; else floats. place(column / 4 of the tile).
template <int kRows, int kCols, int kThreads, bool kPacked>
struct RowStage {
  // Eight columns where they are packed, so that a lane loads and stores few times.
  using P = Pieces<kRows, kCols, kThreads, kPacked ? 8 : 4>;
  // Four floats; eight BF16, or eight codes of FP8 and that of their scale.
  uint4 x[P::kEach];
  static constexpr int kSlots = 0;

  __device__ explicit RowStage(uint4*) {}
  template <class Row>
  __device__ void load(int from, int end, const Place* places, const Row& row) {
    P::each([&](int j, int r, int col) {
      x[j] = {};
      if constexpr (!kPacked) {
        if (from + col < end)
          x[j] = __ldg(reinterpret_cast<const uint4*>(row(r)) + (from + col) / 4);
      } else {
        const Place place = places[col / 4];
        if (place.scale == kNone) return;
        const auto four = [&](int at) {
          return __ldg(reinterpret_cast<const uint2*>(row(r) + at));
        };
        const uint2 first = four(place.at);
        x[j].x = first.x;
        x[j].y = first.y;
        if (place.scale >= 0) {
          x[j].z = __ldg(row(r) + place.scale);
        } else if (const Place second = places[col / 4 + 1]; second.scale == kBf16) {
          const uint2 rest = four(second.at);
          x[j].z = rest.x;
          x[j].w = rest.y;
        }
      }
    });
  }
  template <int kTerms>
  __device__ void store(std::uint16_t* tile, int stride, int plane, const Place* places) const {
    P::each([&](int j, int r, int col) {
      std::uint16_t* to = tile + r * stride + col;
      if constexpr (kPacked) {
        uint4 out = x[j];
        if (places[col / 4].scale >= 0) {
          const unsigned scale = scale_of(x[j].z);
          const uint2 low = unpack_fp8(x[j].x, scale), high = unpack_fp8(x[j].y, scale);
          out = make_uint4(low.x, low.y, high.x, high.y);
        }
        *reinterpret_cast<uint4*>(to) = out;
      } else {
        store_terms<kTerms>(to, static_cast<std::size_t>(plane),
                            make_float4(__uint_as_float(x[j].x), __uint_as_float(x[j].y),
                                        __uint_as_float(x[j].z), __uint_as_float(x[j].w)));
      }
    });
  }
};

// The same two with what is on its way parked in shared memory: a slot is written by copies of one
// thread, which alone reads it, after await_copies(). slots: kSlots · kThreads.
template <int kRows, int kCols, int kThreads>
struct ParkedQueries {
  using P = Pieces<kRows, kCols, kThreads>;
  static constexpr int kSlots = P::kEach;
  uint4* own;

  __device__ explicit ParkedQueries(uint4* slots) : own(slots + threadIdx.x) {}
  template <class Row>
  __device__ void load(int from, int end, const Row& row) {
    P::each([&](int j, int r, int col) {
      const float* p = row(r);
      if (p != nullptr && from + col < end) {
        copy16(own + j * kThreads, p + from + col);
      } else {
        own[j * kThreads] = {};
      }
    });
  }
  template <int kTerms>
  __device__ void store(std::uint16_t* tile, int stride, int plane) const {
    P::each([&](int j, int r, int col) {
      store_terms<kTerms>(tile + r * stride + col, static_cast<std::size_t>(plane),
                          load4(reinterpret_cast<const float*>(own + j * kThreads)));
    });
  }
};

// Packed rows, sixteen columns at a time: codes in one slot, BF16 in two.
template <int kRows, int kCols, int kThreads>
struct ParkedRows {
  using P = Pieces<kRows, kCols, kThreads, 16>;
  static constexpr int kSlots = 2 * P::kEach;
  uint4* own;
  unsigned scale[P::kEach];

  __device__ explicit ParkedRows(uint4* slots) : own(slots + threadIdx.x) {}
  template <class Row>
  __device__ void load(int, int, const Place* places, const Row& row) {
    P::each([&](int j, int r, int col) {
      const Place place = places[col / 4];
      if (place.scale == kNone) return;
      copy16(own + 2 * j * kThreads, row(r) + place.at);
      if (place.scale >= 0) {
        scale[j] = __ldg(row(r) + place.scale);
      } else if (places[col / 4 + 2].scale == kBf16) {
        copy16(own + (2 * j + 1) * kThreads, row(r) + place.at + 16);
      }
    });
  }
  template <int kTerms>
  __device__ void store(std::uint16_t* tile, int stride, int, const Place* places) const {
    static_assert(kTerms == 1);
    P::each([&](int j, int r, int col) {
      auto* to = reinterpret_cast<uint4*>(tile + r * stride + col);
      uint4 x = own[2 * j * kThreads];
      if (places[col / 4].scale >= 0) {
        const unsigned by = scale_of(scale[j]);
        const uint2 a = unpack_fp8(x.x, by), b = unpack_fp8(x.y, by), c = unpack_fp8(x.z, by),
                    d = unpack_fp8(x.w, by);
        to[0] = make_uint4(a.x, a.y, b.x, b.y);
        to[1] = make_uint4(c.x, c.y, d.x, d.y);
        return;
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {  // four columns that are there, or zeros
        const Place* at = places + col / 4 + 2 * half;
        if (half != 0) x = own[(2 * j + 1) * kThreads];
        if (at[0].scale != kBf16) x = {};
        if (at[1].scale != kBf16) x.z = x.w = 0;
        to[half] = x;
      }
    });
  }
};

}  // namespace ambit::inference::ops::cuda
