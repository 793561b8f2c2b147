// Products with many tokens: a block of 4 warps owns 128 rows and 8 N tokens, a warp 32 rows of
// them. Weights, as they are, and x come to shared memory by cp.async, in stages of one step of
// columns (64 bytes of each row, all terms of x), and from there 16 bytes a lane without bank
// conflicts; a weight is unpacked once for all of the block's tokens. One barrier a step. Two
// blocks share a multiprocessor: one unpacks while the other multiplies.
#pragma once

#include "inference/ops/cuda/linear_tile.cuh"

namespace ambit::inference::ops::cuda {

inline constexpr int kManyThreads = 128;
inline constexpr int kManyRows = 128;
inline constexpr int kManyBlocks = 2;  // of a multiprocessor
inline constexpr int kManyStep = 32;   // the matrix has a multiple of so many rows
inline constexpr int kRowBytes = 64;   // of a stage
// Of a block, on every card.
inline constexpr std::size_t kManyBytes = std::size_t{49} << 10U;

template <class Format, int kTerms, int N>
struct ManyStage {
  static constexpr int kTokens = 8 * N, kStep = 4 * Format::kValues;
  static constexpr int kChunks = kStep / 8;  // of 16 bytes, of a token and term
  static constexpr int kWeights = kManyRows * kRowBytes;
  static constexpr int kX = kTokens * kTerms * kChunks * 16;
  static constexpr int kScales = Format::kGroup == 32 ? 4 * kManyRows : 0;
  static constexpr int kBytes = kWeights + kX + kScales;
  static constexpr int kSlots =
      static_cast<int>(kManyBytes) / kBytes < 4 ? static_cast<int>(kManyBytes) / kBytes : 4;
  static_assert(kSlots >= 2);
};

struct ManyBlock {
  Operand w;
  int row;
  Tokens tokens;
  float* y;
};

// again(): w, row, tokens and y anew, so that they need no registers during the products.
template <class Format, int kTerms, int N, class Again>
__device__ inline void many_tile(const ManyBlock& b, const std::uint16_t* x, std::size_t x_stride,
                                 std::size_t plane, int first, std::size_t y_stride,
                                 std::uint8_t* shared, const Again& again) {
  const auto& [w, row, tokens, unused] = b;
  using Stage = ManyStage<Format, kTerms, N>;
  constexpr int M = kManyRows / (kManyThreads / kWarp) / 16, kTokens = Stage::kTokens;
  constexpr int kStep = Stage::kStep, kChunks = Stage::kChunks, kSlots = Stage::kSlots;
  constexpr int kAtOnce = kManyThreads / 4;      // rows that the block copies at once
  constexpr int kEach = kManyThreads / kChunks;  // tokens that the block copies at once
  constexpr int kTurns = (kTokens + kEach - 1) / kEach;
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % kWarp, own = thread / kWarp * 16 * M;  // first row of the warp
  const int steps = w.cols / kStep, parts = parts_of(steps), run = (steps + parts - 1) / parts;

  // What this thread copies: chunk `thread % 4` of rows thread / 4 + 32 i, as many as there are (of
  // the others nothing is used), and one chunk of tokens.
  const int row_bytes = Format::bytes(w.cols);
  const std::uint8_t* weights =
      bytes_at<Format>(w, row, 0) + thread / 4 * row_bytes + thread % 4 * 16;
  const int copied = (w.rows - row - thread / 4 + kAtOnce - 1) / kAtOnce;
  const int chunk = thread % kChunks;
  x += chunk * 8;
  unsigned token_at[kTurns];
#pragma unroll
  for (int i = 0; i < kTurns; ++i) {
    const int token = min(thread / kChunks + i * kEach, kTokens - 1);
    token_at[i] =
        static_cast<unsigned>(tokens.row(first + token)) * static_cast<unsigned>(x_stride);
  }
  const std::uint8_t* scales = Format::scales(w, row);
  const bool has_scale = Format::kGroup == 32 && row + thread < w.rows;
  if (has_scale) scales += static_cast<std::size_t>(thread) * static_cast<std::size_t>(w.cols / 32);
  const auto stage = [&](int step, int slot) {
    std::uint8_t* to = shared + slot * Stage::kBytes;
#pragma unroll
    for (int i = 0; i < kManyRows / kAtOnce; ++i) {
      if (i >= copied) break;
      copy16(to + (i * kManyThreads + thread) * 16,
             weights + static_cast<std::size_t>(i * kAtOnce) * static_cast<std::size_t>(row_bytes) +
                 step * kRowBytes);
    }
    to += Stage::kWeights;
#pragma unroll
    for (int term = 0; term < kTerms; ++term) {
#pragma unroll
      for (int i = 0; i < kTurns; ++i) {
        const int token = thread / kChunks + i * kEach;
        if (kTokens % kEach != 0 && token >= kTokens) break;
        copy16(to + ((term * kTokens + token) * kChunks + Format::place(chunk, token)) * 16,
               x + static_cast<std::size_t>(term) * plane + step * kStep + token_at[i]);
      }
    }
    if constexpr (Format::kGroup == 32) {
      if (has_scale) copy4(to + Stage::kX + 4 * thread, scales + 4 * step);
    }
  };
  // An FP8 block's scale is that of all rows of a warp; it is read a step ahead.
  if constexpr (Format::kGroup == 128) scales = Format::scales(w, min(row + own, w.rows - 1));
  unsigned next = Format::kGroup == 128 ? raw_scale<Format>(scales, 0) : 0;
#pragma unroll
  for (int s = 0; s < kSlots - 1; ++s) {
    if (s < steps) stage(s, s);
    end_copies();
  }
  float total[M][N][4] = {}, acc[M][N][4] = {};
  int slot = 0, left = run;
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    await_copies<kSlots - 2>();
    __syncthreads();  // this step's bytes are there, and nobody reads those before it
    if (step + kSlots - 1 < steps) stage(step + kSlots - 1, slot == 0 ? kSlots - 1 : slot - 1);
    end_copies();
    const std::uint8_t* from = shared + slot * Stage::kBytes;
    slot = slot + 1 == kSlots ? 0 : slot + 1;
    Piece pieces[M][2];
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int r = own + 16 * m + 8 * i + lane / 4;
        const unsigned raw =
            Format::kGroup == 32 ? from[Stage::kWeights + Stage::kX + 4 * r + lane % 4] : next;
        pieces[m][i] = {*reinterpret_cast<const uint4*>(from + r * kRowBytes + lane % 4 * 16),
                        Format::scale(raw)};
      }
    }
    if (Format::kGroup == 128 && step + 1 < steps)
      next = raw_scale<Format>(scales, (step + 1) * kStep);
    from += Stage::kWeights;
    multiply<Format, kTerms>(pieces, acc, [&](int n, int term, int i) {
      const int token = 8 * n + lane / 4, c = lane % 4 * (Format::kValues / 8) + i;
      return *reinterpret_cast<const uint4*>(
          from + ((term * kTokens + token) * kChunks + Format::place(c, token)) * 16);
    });
    if (--left != 0 && step + 1 != steps) continue;
    left = run;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          total[m][n][i] += acc[m][n][i];
          acc[m][n][i] = 0;
        }
      }
    }
  }
  await_copies<0>();
  __syncthreads();  // the next tile may write there
  const ManyBlock to = again();
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int token = first + 8 * n + 2 * (lane % 4) + i % 2;
        const int r = to.row + own + 16 * m + lane / 4 + i / 2 * 8;
        if (token < to.tokens.count && r < to.w.rows) {
          to.y[static_cast<std::size_t>(to.tokens.first + token) * y_stride +
               static_cast<std::size_t>(r)] =
              Format::kFolded ? total[m][n][i] * kUnfold : total[m][n][i];
        }
      }
    }
  }
}

}  // namespace ambit::inference::ops::cuda
