// Products of a tile of weight rows with a tile of tokens on the matrix units (mma.sync m16n8k16,
// BF16 in, fp32 out): 16 weight rows are the first operand, 8 tokens the second, so that a lone
// token wastes little. Every number format here is exact in BF16: FP8 and FP4 codes times their
// power-of-two scales, activations rounded to FP8; fp32 activations go as three BF16 terms.
//
// The order of columns inside a product is free as long as both operands agree, so a lane takes the
// columns that 16 bytes of a weight row hold: weights go from memory to the fragment in one wide
// load each, without shared memory. Lane 4 g + t has rows g and g + 8 and columns kValues · t ….
//
// Codes become numbers with one multiplication: the code is put where BF16 has its exponent and
// mantissa, which is 2^120 (FP8) or 2^126 (FP4) too small, and is multiplied with the scale times
// that, but for 2^20 that the sum gets at its end, so that scales up to 2^21 keep in range. A
// larger scale makes NaN; one below 2^-87 may round to zero.
//
// The columns are cut in up to 8 runs of whole steps (parts_of). A run is summed in column order,
// runs are added in ascending order: by as many warps and through shared memory for few tokens, one
// after the other by the same warp for many. Both give the same bits.
#pragma once

#include "inference/ops/cuda/mma.cuh"

namespace ambit::inference::ops::cuda {

// Runs of so many steps of columns: at least four steps each, where there are as many.
__host__ __device__ inline int parts_of(int steps) {
  return steps >= 32 ? 8 : steps >= 16 ? 4 : steps >= 8 ? 2 : 1;
}

// A matrix, or an expert's.
struct Operand {
  const std::uint8_t* data;
  const std::uint8_t* scales;
  int rows, cols;
};

// Sixteen bytes of a row and the multiplier that their codes share, as a pair of BF16.
struct Piece {
  uint4 bytes;
  unsigned scale;
};

inline constexpr int kLargestScale = 127 + 21;
inline constexpr float kUnfold = 0x1p20F;

// 2^(code - 127 + up - 20): up is what the format's codes are too small by.
template <int kUp>
__device__ inline unsigned multiplier(int code) {
  const unsigned one = code > kLargestScale ? 0x7FC0U : static_cast<unsigned>(code + kUp - 20) << 7;
  return one | one << 16;
}
__device__ inline unsigned times(unsigned a, unsigned b) {
  unsigned out;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(out) : "r"(a), "r"(b), "r"(0x80008000U));
  return out;
}
__device__ inline unsigned word(const uint4& v, int i) {
  return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

// Each format: kValues columns a lane; bytes of a number of columns; where the scales of a row lie,
// one for kGroup columns, and the multiplier that one makes; unpack(), which makes pairs of BF16 of
// values 8 i … 8 i + 7; and arrange(), which puts eight x values into the same pairs.
struct Fp8 {
  static constexpr int kValues = 16;
  static constexpr bool kFolded = true;
  __device__ static int bytes(int cols) { return cols; }
  static constexpr int kGroup = 128;
  __device__ static const std::uint8_t* scales(const Operand& w, int row) {
    return w.scales + row / 128 * ((w.cols + 127) / 128);
  }
  __device__ static unsigned scale(unsigned raw) { return multiplier<120>(static_cast<int>(raw)); }
  __device__ static void unpack(const Piece& p, int i, unsigned (&out)[4]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {  // S EEEE MMM
      const unsigned four = word(p.bytes, 2 * i + half);
      const unsigned low = __byte_perm(four, 0, 0x1404), high = __byte_perm(four, 0, 0x3424);
      out[2 * half] = times((low & 0x7F007F00U) >> 4 | (low & 0x80008000U), p.scale);
      out[2 * half + 1] = times((high & 0x7F007F00U) >> 4 | (high & 0x80008000U), p.scale);
    }
  }
  __device__ static uint4 arrange(uint4 x) {
    return x;
  }
  // Where 16 bytes of x of a token lie in its row in shared memory, so that the eight lanes that
  // read at once meet different banks.
  __device__ static int place(int chunk, int token) {
    return chunk ^ (token & 1);
  }
};

struct Fp4 {
  static constexpr int kValues = 32;
  static constexpr bool kFolded = true;
  __device__ static int bytes(int cols) { return cols / 2; }
  static constexpr int kGroup = 32;
  __device__ static const std::uint8_t* scales(const Operand& w, int row) {
    return w.scales + static_cast<std::size_t>(row) * static_cast<std::size_t>(w.cols / 32);
  }
  __device__ static unsigned scale(unsigned raw) { return multiplier<126>(static_cast<int>(raw)); }
  // S EE M, low nibble first. Values j and j + 4 make a pair: they lie 16 bits apart already. One
  // multiplication moves a nibble to two places, EE M to where it is an exponent and S to where it
  // is the sign; logic and shifts are what these kernels run out of first.
  __device__ static void unpack(const Piece& p, int i, unsigned (&out)[4]) {
    const unsigned eight = word(p.bytes, i);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const unsigned from = j < 2 ? eight : eight >> 8;
      const unsigned moved = j % 2 == 0 ? (from & 0x000F000FU) * ((1U << 6) + (1U << 12))
                                        : (from & 0x00F000F0U) * ((1U << 2) + (1U << 8));
      out[j] = times(moved & 0x81C081C0U, p.scale);
    }
  }
  __device__ static uint4 arrange(uint4 x) {
    return make_uint4(__byte_perm(x.x, x.z, 0x5410), __byte_perm(x.x, x.z, 0x7632),
                      __byte_perm(x.y, x.w, 0x5410), __byte_perm(x.y, x.w, 0x7632));
  }
  __device__ static int place(int chunk, int token) {
    return chunk ^ (chunk >> 3 & 1) ^ (token & 1) << 1;
  }
};

struct Bf16 {
  static constexpr int kValues = 8;
  static constexpr bool kFolded = false;
  __device__ static int bytes(int cols) { return 2 * cols; }
  static constexpr int kGroup = 0;  // none
  __device__ static const std::uint8_t* scales(const Operand&, int) { return nullptr; }
  __device__ static unsigned scale(unsigned) { return 0; }
  __device__ static void unpack(const Piece& p, int, unsigned (&out)[4]) {
    out[0] = p.bytes.x;
    out[1] = p.bytes.y;
    out[2] = p.bytes.z;
    out[3] = p.bytes.w;
  }
  __device__ static uint4 arrange(uint4 x) { return x; }
  __device__ static int place(int chunk, int) { return chunk; }
};

template <class Format>
__device__ inline const std::uint8_t* bytes_at(const Operand& w, int row, int col) {
  return w.data + static_cast<std::size_t>(row) * static_cast<std::size_t>(Format::bytes(w.cols)) +
         static_cast<std::size_t>(Format::bytes(col));
}
// The scale that a lane's columns from col on have, as it lies there.
template <class Format>
__device__ inline unsigned raw_scale(const std::uint8_t* scales, int col) {
  if constexpr (Format::kGroup == 0) {
    return 0;
  } else {
    return scales[col / Format::kGroup];
  }
}

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
  __device__ void load(int col, Piece (&out)[1][2]) const {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const std::uint8_t* at = bytes + Format::bytes(col) + (i == 0 ? 0 : to_lower);
      out[0][i].bytes = *reinterpret_cast<const uint4*>(at);
      if (i == 0 || Format::kGroup == 32) {
        out[0][i].scale =
            Format::scale(raw_scale<Format>(scales + (i == 0 ? 0 : scales_to_lower), col));
      } else {
        out[0][1].scale = out[0][0].scale;  // FP8's blocks are 128 rows high
      }
    }
  }
};

// One step of columns: acc[m][n] += pieces[m] · x(n, term, i), the eight x of this lane's columns
// 8 i … of its token of tile n.
template <class Format, int kTerms, int M, int N, class X>
__device__ inline void multiply(const Piece (&pieces)[M][2], float (&acc)[M][N][4], const X& x) {
#pragma unroll
  for (int i = 0; i < Format::kValues / 8; ++i) {
    unsigned a[M][2][4];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      unsigned upper[4], lower[4];
      Format::unpack(pieces[m][0], i, upper);
      Format::unpack(pieces[m][1], i, lower);
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        a[m][k][0] = upper[2 * k];
        a[m][k][1] = lower[2 * k];
        a[m][k][2] = upper[2 * k + 1];
        a[m][k][3] = lower[2 * k + 1];
      }
    }
#pragma unroll(N > 1 || Format::kValues > 8 ? 1 : kTerms)  // registers are short
    for (int term = 0; term < kTerms; ++term) {
#pragma unroll
      for (int n = 0; n < N; ++n) {
        const uint4 b = Format::arrange(x(n, term, i));
#pragma unroll
        for (int m = 0; m < M; ++m) {
          mma(acc[m][n], a[m][0], b.x, b.y);
          mma(acc[m][n], a[m][1], b.z, b.w);
        }
      }
    }
  }
}

// The tokens of a tile: entries [first, first + count) of one expert, or rows of a step.
struct Tokens {
  const std::int32_t* row_of;  // x row of an entry, or null: the entry itself
  int first, count;
  __device__ int row(int i) const {
    const int entry = first + min(i, count - 1);
    return row_of == nullptr ? entry : row_of[entry];
  }
};

__device__ inline void copy16(void* shared, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
               :
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))), "l"(from)
               : "memory");
}
__device__ inline void end_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int kLeft>
__device__ inline void await_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
}

// Few tokens: a block of 8 warps owns 8 / parts tiles of 16 rows and 8 tokens; a warp one run of
// one tile. At 80 registers 24 warps fit a multiprocessor, each with two steps of weights on their
// way: 48 KiB. A block's first weights are on their way before it waits for x. Two barriers.
inline constexpr int kFewWarps = 8;
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
  Piece pieces[kAhead][1][2];
  const auto fetch = [&](int step) {
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (step + u < end) rows.load((step + u) * kStep + lane_col, pieces[u]);
    }
  };
  fetch(begin);
  await_before();
  const std::uint16_t* from =
      x + static_cast<std::size_t>(tokens.row(first + lane / 4)) * x_stride + lane_col;
  float acc[1][1][4] = {};
#pragma unroll 1
  for (int step = begin; step < end; step += kAhead) {
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (step + u >= end) continue;
      multiply<Format, kTerms>(pieces[u], acc, [&](int, int term, int i) {
        return *reinterpret_cast<const uint4*>(
            from + static_cast<std::size_t>(term) * plane +
            static_cast<std::size_t>((step + u) * kStep + 8 * i));
      });
    }
    fetch(step + kAhead);
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

// Many tokens: a block of 8 warps owns 256 rows and 8 N tokens, a warp 32 rows of them. Weights,
// as they are, and x come to shared memory by cp.async, in stages of one step of columns (64 bytes
// of each row, all terms of x), and from there 16 bytes a lane without bank conflicts; a weight is
// read and unpacked once for all of the block's tokens.
inline constexpr int kManyThreads = 256;
inline constexpr int kManyRows = 256;
inline constexpr int kManyStep = 32;  // the matrix has a multiple of so many rows
inline constexpr int kRowBytes = 64;  // of a stage

template <class Format, int kTerms>
inline constexpr int kStages = kTerms == 1 || Format::kValues == 8 ? 3 : 2;

// Bytes of shared memory for `tokens` tokens: stages, and each token's row.
template <class Format, int kTerms>
constexpr std::size_t many_bytes(int tokens) {
  const int stage = kManyRows * kRowBytes + tokens * kTerms * 4 * Format::kValues * 2;
  return static_cast<std::size_t>(kStages<Format, kTerms> * stage + tokens * 4);
}

template <class Format, int kTerms, int N>
__device__ inline void many_tile(const Operand& w, int row, const std::uint16_t* x,
                                 std::size_t x_stride, std::size_t plane, const Tokens& tokens,
                                 int first, float* y, std::size_t y_stride, std::uint8_t* shared) {
  constexpr int M = kManyRows / (kManyThreads / kWarp) / 16, kTokens = 8 * N;
  constexpr int kStep = 4 * Format::kValues, kChunks = kStep / 8;
  constexpr int kCopies = kTokens * kChunks * kTerms;  // of x, 16 bytes each
  constexpr int kWeights = kManyRows * kRowBytes, kStage = kWeights + kCopies * 16;
  constexpr int kSlots = kStages<Format, kTerms>;
  auto* row_of = reinterpret_cast<int*>(shared + kSlots * kStage);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % kWarp, own = thread / kWarp * 16 * M;  // first row of the warp
  await_before();
  const int steps = w.cols / kStep, parts = parts_of(steps), run = (steps + parts - 1) / parts;
  if (thread < kTokens) row_of[thread] = tokens.row(first + thread);
  __syncthreads();

  const auto stage = [&](int step) {
    std::uint8_t* to = shared + step % kSlots * kStage;
#pragma unroll
    for (int c = 0; c < kWeights / 16; c += kManyThreads) {
      const int r = (c + thread) / 4, chunk = thread % 4;
      copy16(to + (c + thread) * 16,
             bytes_at<Format>(w, row + r < w.rows ? row + r : row, step * kStep) + chunk * 16);
    }
    to += kWeights;
#pragma unroll
    for (int c = 0; c < kCopies; c += kManyThreads) {
      const int at = c + thread;
      if (c + kManyThreads > kCopies && at >= kCopies) break;
      const int chunk = at % kChunks, token = at / kChunks % kTokens, term = at / kChunks / kTokens;
      copy16(to + ((term * kTokens + token) * kChunks + Format::place(chunk, token)) * 16,
             x + static_cast<std::size_t>(row_of[token]) * x_stride +
                 static_cast<std::size_t>(term) * plane +
                 static_cast<std::size_t>(step * kStep + chunk * 8));
    }
  };
  const int inside = min(row + own, w.rows - 16 * M) + lane / 4;
  const auto scales = [&](int step, unsigned(&raw)[M][2]) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int i = 0; i < 2; ++i)
        raw[m][i] = raw_scale<Format>(Format::scales(w, inside + 16 * m + 8 * i),
                                      step * kStep + lane % 4 * Format::kValues);
    }
  };
#pragma unroll
  for (int s = 0; s < kSlots - 1; ++s) {
    if (s < steps) stage(s);
    end_copies();
  }
  unsigned next[M][2];
  scales(0, next);
  float total[M][N][4] = {}, acc[M][N][4] = {};
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    await_copies<kSlots - 2>();
    __syncthreads();  // this step's bytes are there, and nobody reads those before it
    if (step + kSlots - 1 < steps) stage(step + kSlots - 1);
    end_copies();
    const std::uint8_t* from = shared + step % kSlots * kStage;
    Piece pieces[M][2];
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int at = (own + 16 * m + 8 * i + lane / 4) * kRowBytes + lane % 4 * 16;
        pieces[m][i] = {*reinterpret_cast<const uint4*>(from + at), Format::scale(next[m][i])};
      }
    }
    scales(min(step + 1, steps - 1), next);
    from += kWeights;
    multiply<Format, kTerms>(pieces, acc, [&](int n, int term, int i) {
      const int token = 8 * n + lane / 4, chunk = lane % 4 * (Format::kValues / 8) + i;
      return *reinterpret_cast<const uint4*>(
          from + ((term * kTokens + token) * kChunks + Format::place(chunk, token)) * 16);
    });
    if ((step + 1) % run != 0 && step + 1 != steps) continue;
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
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int token = first + 8 * n + 2 * (lane % 4) + i % 2;
        const int r = row + own + 16 * m + lane / 4 + i / 2 * 8;
        if (token < tokens.count && r < w.rows) {
          y[static_cast<std::size_t>(tokens.first + token) * y_stride +
            static_cast<std::size_t>(r)] =
              Format::kFolded ? total[m][n][i] * kUnfold : total[m][n][i];
        }
      }
    }
  }
}

// fp32 matrices: 16 rows and 8 tokens by a block, two rows a warp, on the ordinary units.
__device__ inline void f32_tile(const Operand& w, int row, const float* x, std::size_t x_stride,
                                const Tokens& tokens, int first, float* y, std::size_t y_stride) {
  const int lane = threadIdx.x % kWarp;
  const float* from[8];
#pragma unroll
  for (int n = 0; n < 8; ++n)
    from[n] = x + static_cast<std::size_t>(tokens.row(first + n)) * x_stride;
  for (int i = 0; i < 2; ++i) {
    const int r = row + static_cast<int>(threadIdx.x) / kWarp * 2 + i;
    const float* weights =
        reinterpret_cast<const float*>(w.data) +
        static_cast<std::size_t>(min(r, w.rows - 1)) * static_cast<std::size_t>(w.cols);
    float v[8] = {};
#pragma unroll 1  // a step loads 36 floats; two steps at once spill on sm_80
    for (int col = 4 * lane; col < w.cols; col += 4 * kWarp) {
      const float4 a = load4(weights + col);
#pragma unroll
      for (int n = 0; n < 8; ++n) {
        const float4 b = load4(from[n] + col);
        v[n] = fmaf(a.x, b.x, v[n]);
        v[n] = fmaf(a.y, b.y, v[n]);
        v[n] = fmaf(a.z, b.z, v[n]);
        v[n] = fmaf(a.w, b.w, v[n]);
      }
    }
    const float sum = warp_sums<8>(v);
    const int token = first + lane / 4;
    if (lane % 4 == 0 && token < tokens.count && r < w.rows) {
      y[static_cast<std::size_t>(tokens.first + token) * y_stride + static_cast<std::size_t>(r)] =
          sum;
    }
  }
}

}  // namespace ambit::inference::ops::cuda
