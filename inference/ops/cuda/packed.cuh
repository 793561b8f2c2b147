// Packed rows (ops/packed_rows.h) as BF16, which holds them exactly.
#pragma once

#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

__device__ inline unsigned times_pair(unsigned a, unsigned b) {
  unsigned out;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(out) : "r"(a), "r"(b), "r"(0x80008000U));
  return out;
}
// A scale's code as a pair of BF16.
__device__ inline unsigned scale_of(unsigned code) {
  const unsigned one = code == 0 ? 0x40U : code << 7;
  return one | one << 16;
}

// Four E4M3 codes. S EEEE MMM goes to BF16's places, where it is 2^120 too small; the product with
// 2^120 also mends subnormals.
__device__ inline uint2 unpack_fp8(unsigned four, unsigned scale) {
  const unsigned low = __byte_perm(four, 0, 0x1404), high = __byte_perm(four, 0, 0x3424);
  constexpr unsigned k120 = 0x7B807B80U;
  return make_uint2(
      times_pair(times_pair((low & 0x7F007F00U) >> 4 | (low & 0x80008000U), k120), scale),
      times_pair(times_pair((high & 0x7F007F00U) >> 4 | (high & 0x80008000U), k120), scale));
}
// Four E2M1 codes in the low nibbles of four bytes; 2^126 too small in BF16's places.
__device__ inline uint2 unpack_fp4(unsigned four, unsigned scale) {
  const unsigned low = __byte_perm(four, 0, 0x4140), high = __byte_perm(four, 0, 0x4342);
  constexpr unsigned k126 = 0x7E807E80U;
  return make_uint2(
      times_pair(times_pair((low & 0x00070007U) << 6 | (low & 0x00080008U) << 12, k126), scale),
      times_pair(times_pair((high & 0x00070007U) << 6 | (high & 0x00080008U) << 12, k126), scale));
}

}  // namespace ambit::inference::ops::cuda
