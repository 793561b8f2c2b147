// Products of a tile of weight rows with a tile of tokens on the matrix units (mma.sync m16n8k16,
// BF16 in, fp32 out): 16 weight rows are the first operand, 8 tokens the second, so that a lone
// token wastes little. Every number format here is exact in BF16: FP8 and FP4 codes times their
// power-of-two scales, activations rounded to FP8; fp32 activations go as three BF16 terms.
//
// The order of columns inside a product is free as long as both operands agree, so a lane takes the
// columns that 16 bytes of a weight row hold: weights go from memory to the fragment in one wide
// load each, without shared memory. Lane 4 g + t has rows g and g + 8 and columns kValues · t ….
//
// The columns are cut in kParts runs of whole steps. A run is summed in column order, runs are
// added in ascending order: by kParts warps and through shared memory for few tokens, one after the
// other by the same warp for many. Both give the same bits.
#pragma once

#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

inline constexpr int kParts = 8;

// A matrix, or an expert's.
struct Operand {
  const std::uint8_t* data;
  const std::uint8_t* scales;
  int rows, cols;
};

// Sixteen bytes of a row and the scale that they share, as a pair of BF16.
struct Piece {
  uint4 bytes;
  unsigned scale;
};

__device__ inline unsigned scale_pair(std::uint8_t code) {
  const unsigned one = code == 0 ? 0x40U : code == 255 ? 0x7FC0U : static_cast<unsigned>(code) << 7;
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

struct Fp8 {
  static constexpr int kValues = 16;  // columns a lane
  __device__ static Piece load(const Operand& w, int row, int col) {
    const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(w.cols) +
                    static_cast<std::size_t>(col);
    const int block = row / 128 * ((w.cols + 127) / 128) + col / 128;
    return {*reinterpret_cast<const uint4*>(w.data + at), scale_pair(w.scales[block])};
  }
  // Values 4 j … 4 j + 3 of the sixteen. S EEEE MMM goes to BF16's places; there it is 2^120 too
  // small, and the product with 2^120 also mends subnormals.
  __device__ static void unpack(const Piece& p, int j, unsigned (&out)[2]) {
    const unsigned four = word(p.bytes, j);
    const unsigned low = __byte_perm(four, 0, 0x1404), high = __byte_perm(four, 0, 0x3424);
    constexpr unsigned k120 = 0x7B807B80U;
    out[0] = times(times((low & 0x7F007F00U) >> 4 | (low & 0x80008000U), k120), p.scale);
    out[1] = times(times((high & 0x7F007F00U) >> 4 | (high & 0x80008000U), k120), p.scale);
  }
};

struct Fp4 {
  static constexpr int kValues = 32;
  __device__ static Piece load(const Operand& w, int row, int col) {
    const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(w.cols) +
                    static_cast<std::size_t>(col);
    return {*reinterpret_cast<const uint4*>(w.data + at / 2), scale_pair(w.scales[at / 32])};
  }
  // S EE M, low nibble first; 2^126 too small in BF16's places.
  __device__ static void unpack(const Piece& p, int j, unsigned (&out)[2]) {
    const unsigned four = word(p.bytes, j / 2) >> (j % 2 * 16);
    constexpr unsigned k126 = 0x7E807E80U;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const unsigned two = four >> (8 * i);
      const unsigned apart = (two & 0xFU) | (two & 0xF0U) << 12;
      out[i] =
          times(times((apart & 0x00070007U) << 6 | (apart & 0x00080008U) << 12, k126), p.scale);
    }
  }
};

struct Bf16 {
  static constexpr int kValues = 8;
  __device__ static Piece load(const Operand& w, int row, int col) {
    const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(w.cols) +
                    static_cast<std::size_t>(col);
    return {*reinterpret_cast<const uint4*>(w.data + 2 * at), 0};
  }
  __device__ static void unpack(const Piece& p, int j, unsigned (&out)[2]) {
    out[0] = word(p.bytes, 2 * j);
    out[1] = word(p.bytes, 2 * j + 1);
  }
};

__device__ inline void mma(float (&d)[4], const unsigned (&a)[4], uint2 b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.x), "r"(b.y));
}

// acc[m][n] += rows [row + 16 m, …) · tokens of x[n] (this lane's token of each tile of 8), over
// the steps of run `part`. x[n] points to the first of kTerms planes.
template <class Format, int kTerms, int M, int N>
__device__ inline void accumulate(const Operand& w, int row, const std::uint16_t* const (&x)[N],
                                  std::size_t plane, int part, float (&acc)[M][N][4]) {
  constexpr int kStep = 4 * Format::kValues;
  const int steps = w.cols / kStep;
  const int run = (steps + kParts - 1) / kParts;
  const int end = min(steps, (part + 1) * run);
  const int g = threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
  int rows[M][2];
#pragma unroll
  for (int m = 0; m < M; ++m) {
    rows[m][0] = min(row + 16 * m + g, w.rows - 1);
    rows[m][1] = min(row + 16 * m + g + 8, w.rows - 1);
  }
  for (int step = part * run; step < end; ++step) {
    const int col = step * kStep + t * Format::kValues;
    Piece pieces[M][2];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      pieces[m][0] = Format::load(w, rows[m][0], col);
      pieces[m][1] = Format::load(w, rows[m][1], col);
    }
#pragma unroll
    for (int j = 0; j < Format::kValues / 4; ++j) {
      unsigned a[M][4];
#pragma unroll
      for (int m = 0; m < M; ++m) {
        unsigned upper[2], lower[2];
        Format::unpack(pieces[m][0], j, upper);
        Format::unpack(pieces[m][1], j, lower);
        a[m][0] = upper[0];
        a[m][1] = lower[0];
        a[m][2] = upper[1];
        a[m][3] = lower[1];
      }
#pragma unroll
      for (int term = 0; term < kTerms; ++term) {
#pragma unroll
        for (int n = 0; n < N; ++n) {
          const uint2 b =
              *reinterpret_cast<const uint2*>(x[n] + static_cast<std::size_t>(term) * plane +
                                              static_cast<std::size_t>(col + 4 * j));
#pragma unroll
          for (int m = 0; m < M; ++m) mma(acc[m][n], a[m], b);
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

// y[token, row] of 16 rows and 8 tokens by a block of kParts warps. sums: shared.
using Sums = float[kParts][128];

template <class Format, int kTerms>
__device__ inline void few_tile(const Operand& w, int row, const std::uint16_t* x,
                                std::size_t x_stride, std::size_t plane, const Tokens& tokens,
                                int first, float* y, std::size_t y_stride, Sums& sums) {
  const int lane = threadIdx.x % kWarp, part = static_cast<int>(threadIdx.x) / kWarp;
  const std::uint16_t* const from[1] = {x + static_cast<std::size_t>(tokens.row(first + lane / 4)) *
                                                x_stride};
  float acc[1][1][4] = {};
  accumulate<Format, kTerms>(w, row, from, plane, part, acc);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    // Of the fragment: row g or g + 8, token 2 t or 2 t + 1.
    sums[part][(2 * (lane % 4) + i % 2) * 16 + lane / 4 + i / 2 * 8] = acc[0][0][i];
  }
  __syncthreads();
  if (threadIdx.x < 128) {
    float sum = 0;
#pragma unroll
    for (int p = 0; p < kParts; ++p) sum += sums[p][threadIdx.x];
    const int token = first + static_cast<int>(threadIdx.x) / 16,
              r = row + static_cast<int>(threadIdx.x) % 16;
    if (token < tokens.count && r < w.rows) {
      y[static_cast<std::size_t>(tokens.first + token) * y_stride + static_cast<std::size_t>(r)] =
          sum;
    }
  }
  __syncthreads();
}

// The same of 32 rows and 32 tokens by one warp: no shared memory, no barrier.
inline constexpr int kManyRows = 32, kManyTokens = 32;

template <class Format, int kTerms>
__device__ inline void many_tile(const Operand& w, int row, const std::uint16_t* x,
                                 std::size_t x_stride, std::size_t plane, const Tokens& tokens,
                                 int first, float* y, std::size_t y_stride) {
  constexpr int M = kManyRows / 16, N = kManyTokens / 8;
  const int lane = threadIdx.x % kWarp;
  const std::uint16_t* from[N];
#pragma unroll
  for (int n = 0; n < N; ++n) {
    from[n] = x + static_cast<std::size_t>(tokens.row(first + 8 * n + lane / 4)) * x_stride;
  }
  float total[M][N][4] = {};
  for (int part = 0; part < kParts; ++part) {
    float acc[M][N][4] = {};
    accumulate<Format, kTerms>(w, row, from, plane, part, acc);
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) total[m][n][i] += acc[m][n][i];
      }
    }
  }
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int token = first + 8 * n + 2 * (lane % 4) + i % 2;
        const int r = row + 16 * m + lane / 4 + i / 2 * 8;
        if (token < tokens.count && r < w.rows) {
          y[static_cast<std::size_t>(tokens.first + token) * y_stride +
            static_cast<std::size_t>(r)] = total[m][n][i];
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
