// Products with few tokens: weights go from memory to the fragment.
#pragma once

#include "inference/ops/cuda/linear_tile.cuh"

namespace ambit::inference::ops::cuda {

// A lane's two rows of a tile of 16 weight rows, eight apart.
template <class Format>
struct LaneRows {
  const std::uint8_t* bytes;
  const std::uint8_t* scales;
  int to_lower, scales_to_lower;  // the second row is none: 0

  __device__ void set(const Operand& w, int row) {
    const int upper = min(row + static_cast<int>(threadIdx.x) % kWarp / 4, w.rows - 1);
    const int apart = upper + 8 < w.rows ? 8 : 0;
    bytes = bytes_at<Format>(w, upper, 0);
    scales = Format::scales(w, upper);
    to_lower = apart * Format::bytes(w.cols);
    scales_to_lower = Format::kGroup == 32 ? apart * (w.cols / 32) : 0;
  }
  // The scale as it lies there: what turns it into a multiplier would wait for it.
  __device__ void load(int col, Piece (&out)[2]) const {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const std::uint8_t* at = bytes + Format::bytes(col) + (i == 0 ? 0 : to_lower);
      out[i].bytes = *reinterpret_cast<const uint4*>(at);
      if (i == 0 || Format::kGroup == 32) {
        out[i].scale = raw_scale<Format>(scales + (i == 0 ? 0 : scales_to_lower), col);
      }
    }
  }
};

// Few tokens: a block of 8 warps owns 8 / parts tiles of 16 rows and 8 tokens; a warp one run of
// one tile. At 80 registers 24 warps fit a multiprocessor, each with two steps of weights on their
// way: 48 KiB. A block's first weights are on their way before it waits for x. Two barriers.
inline constexpr int kFewWarps = 8, kFewThreads = kFewWarps * kWarp, kFewTokens = 8;
inline constexpr int kFewBlocks = 3;  // of a multiprocessor
using Sums = float[kFewWarps][128];

template <class Format, int kTerms>
__device__ inline void few_tile(const Operand& w, int row, const std::uint16_t* x,
                                std::size_t x_stride, std::size_t plane, const Tokens& tokens,
                                int first, float* y, std::size_t y_stride, Sums& sums) {
  constexpr int kStep = 4 * Format::kValues;
  constexpr int kAhead = kTerms * Format::kValues > 48 ? 1 : 2;
  const int lane = threadIdx.x % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int steps = w.cols / kStep, parts = parts_of(steps), run = (steps + parts - 1) / parts;
  const int begin = warp % parts * run, end = min(steps, begin + run);
  const int lane_col = lane % 4 * Format::kValues;
  row += warp / parts * 16;
  LaneRows<Format> rows;
  rows.set(w, row);
  Piece pieces[kAhead][2];
#pragma unroll
  for (int u = 0; u < kAhead; ++u) {
    if (begin + u < end) rows.load((begin + u) * kStep + lane_col, pieces[u]);
  }
  await_before();
  const std::uint16_t* from =
      x + static_cast<std::size_t>(tokens.row(first + lane / 4)) * x_stride + lane_col;
  float acc[1][1][4] = {};
#pragma unroll 1
  for (int step = begin; step < end; step += kAhead) {
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (step + u >= end) continue;
      const unsigned upper = Format::scale(pieces[u][0].scale);
      // FP8's blocks are 128 rows high.
      const unsigned lower = Format::kGroup == 32 ? Format::scale(pieces[u][1].scale) : upper;
      const Piece now[1][2] = {{{pieces[u][0].bytes, upper}, {pieces[u][1].bytes, lower}}};
      multiply<Format, kTerms>(now, acc, [&](int, int term, int i) {
        return *reinterpret_cast<const uint4*>(
            from + static_cast<std::size_t>(term) * plane +
            static_cast<std::size_t>((step + u) * kStep + 8 * i));
      });
      // The next of them are on their way while the others are multiplied.
      if (step + u + kAhead < end) rows.load((step + u + kAhead) * kStep + lane_col, pieces[u]);
    }
  }
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    // Of the fragment: row g or g + 8, token 2 t or 2 t + 1.
    sums[warp][(2 * (lane % 4) + k % 2) * 16 + lane / 4 + k / 2 * 8] = acc[0][0][k];
  }
  __syncthreads();
  // Each warp of a tile writes its share of the tile's 128 sums.
  for (int v = warp % parts * kWarp + lane; v < 128; v += parts * kWarp) {
    float sum = 0;
    for (int p = 0; p < parts; ++p) sum += sums[warp - warp % parts + p][v];
    if (Format::kFolded) sum *= kUnfold;
    const int token = first + v / 16, r = row + v % 16;
    if (token < tokens.count && r < w.rows) {
      y[static_cast<std::size_t>(tokens.first + token) * y_stride + static_cast<std::size_t>(r)] =
          sum;
    }
  }
  __syncthreads();
}

}  // namespace ambit::inference::ops::cuda
