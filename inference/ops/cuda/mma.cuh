// The matrix units: mma.sync m16n8k16 (BF16 in, fp32 out) and its operands in shared memory.
//
// A tile in shared memory is BF16, rows an odd number of 16-byte pieces apart, so that the eight
// rows of a load lie in different banks. fp32 numbers go as three BF16 terms, together exact, each
// in a plane of its own; products of terms i and j with i + j >= 3 are below fp32's last bit. Two
// terms keep 2^-17.
#pragma once

#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

inline constexpr int kTermsOfFloat = 3;
inline constexpr int kPad = 8;  // BF16 values after a row whose length divides by 16

__device__ inline void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Four 8 × 8 matrices of shared memory: lane 8 m + r brings the address of row r of matrix m, lane
// 4 g + t gets columns 2 t and 2 t + 1 of row g of each. The memory operand keeps them behind the
// stores before them.
__device__ inline void load_matrices(const std::uint16_t* row, unsigned (&out)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}
// The same of the transposed matrices.
__device__ inline void load_turned(const std::uint16_t* row, unsigned (&out)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}

// The first operand, rows [0, 16) and columns [0, 16) of a tile.
__device__ inline void load_a(const std::uint16_t* tile, int stride, unsigned (&a)[4]) {
  const int lane = threadIdx.x % kWarp;
  load_matrices(tile + lane % 16 * stride + lane / 16 * 8, a);
}

// The second operand of two products: columns n in [0, 16) and k in [0, 16), from a tile whose rows
// are n (kTurned: k).
template <bool kTurned>
__device__ inline void load_b(const std::uint16_t* tile, int stride, uint2 (&b)[2]) {
  const int lane = threadIdx.x % kWarp;
  unsigned r[4];
  if constexpr (kTurned) {
    load_turned(tile + lane % 16 * stride + lane / 16 * 8, r);
  } else {
    load_matrices(tile + (lane % 8 + lane / 16 * 8) * stride + lane / 8 % 2 * 8, r);
  }
  b[0] = make_uint2(r[0], r[1]);
  b[1] = make_uint2(r[2], r[3]);
}

// Copies to shared memory that go on while a thread computes; each waits for its own.
__device__ inline void copy16(void* shared, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
               :
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))), "l"(from)
               : "memory");
}
__device__ inline void copy4(void* shared, const void* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;"
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

// acc[m][n] += rows [16 m, 16 m + 16) of a · columns [8 n, 8 n + 8) of b over k in [0, 16). Both
// have their terms `plane` elements apart.
template <bool kTurned, int kTermsA, int kTermsB, int kM, int kN>
__device__ inline void multiply_tiles(const std::uint16_t* a, int a_stride, int a_plane,
                                      const std::uint16_t* b, int b_stride, int b_plane,
                                      float (&acc)[kM][kN][4]) {
  static_assert(kN % 2 == 0);
  unsigned left[kTermsA][kM][4];
#pragma unroll
  for (int i = 0; i < kTermsA; ++i) {
#pragma unroll
    for (int m = 0; m < kM; ++m) {
      load_a(a + i * a_plane + 16 * m * a_stride, a_stride, left[i][m]);
    }
  }
#pragma unroll
  for (int n = 0; n < kN; n += 2) {
#pragma unroll
    for (int j = 0; j < kTermsB; ++j) {
      uint2 right[2];
      load_b<kTurned>(b + j * b_plane + 8 * n * (kTurned ? 1 : b_stride), b_stride, right);
#pragma unroll
      for (int i = 0; i + j < kTermsA; ++i) {
#pragma unroll
        for (int m = 0; m < kM; ++m) {
          mma(acc[m][n], left[i][m], right[0].x, right[0].y);
          mma(acc[m][n + 1], left[i][m], right[1].x, right[1].y);
        }
      }
    }
  }
}

}  // namespace ambit::inference::ops::cuda
