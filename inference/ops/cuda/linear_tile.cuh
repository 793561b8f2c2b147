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

#include <type_traits>

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

// Of x, BF16 each: 1 where it is rounded.
template <int N>
using Terms = std::integral_constant<int, N>;

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

// One step of columns: acc[m][n] += pieces[m] · x(n, term, i), the eight x of this lane's columns
// 8 i … of its token of tile n. Products that add to the same sums stand kAbreast tiles of tokens
// apart, so that none waits for the one before.
template <class Format, int kTerms, int M, int N, class X>
__device__ inline void multiply(const Piece (&pieces)[M][2], float (&acc)[M][N][4], const X& x) {
  constexpr int kAbreast = N == 1 ? 1 : Format::kValues == 32 || N % 4 != 0 ? 2 : 4;
  static_assert(N % kAbreast == 0);
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
#pragma unroll(N == 1 && Format::kValues > 8 ? 1 : kTerms)  // registers are short
    for (int term = 0; term < kTerms; ++term) {
#pragma unroll
      for (int n = 0; n < N; n += kAbreast) {
        uint4 b[kAbreast];
#pragma unroll
        for (int j = 0; j < kAbreast; ++j) b[j] = Format::arrange(x(n + j, term, i));
#pragma unroll
        for (int k = 0; k < 2; ++k) {
#pragma unroll
          for (int j = 0; j < kAbreast; ++j) {
#pragma unroll
            for (int m = 0; m < M; ++m) {
              mma(acc[m][n + j], a[m][k], k == 0 ? b[j].x : b[j].z, k == 0 ? b[j].y : b[j].w);
            }
          }
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
