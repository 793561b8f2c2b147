// Number formats on the device (quantize.h has the reference): rounding to FP8 and FP4 and back,
// BF16, and a row of activations in the forms that products read.
#pragma once

#include "inference/ops/cuda/warp.cuh"

namespace ambit::inference::ops::cuda {

// To BF16, nearest, ties to even.
__device__ inline std::uint16_t bf16_bits(float x) {
  std::uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
__device__ inline float bf16_value(std::uint16_t bits) {
  return __uint_as_float(static_cast<unsigned>(bits) << 16);
}

// The least power of two that is not below x (positive, normal).
__device__ inline float ceil_power(float x) {
  const unsigned bits = __float_as_uint(x);
  const unsigned exponent = (bits >> 23) + ((bits & 0x7FFFFFU) != 0 ? 1U : 0U);
  return __uint_as_float(exponent << 23);
}

// The scale of a group with the largest magnitude `amax`.
__device__ inline float fp8_scale(float amax) {
  return ceil_power(fmaxf(amax, 1e-4F) * (1.0F / 448.0F));
}
__device__ inline float fp4_scale(float amax) {
  return fmaxf(ceil_power(fmaxf(amax, 6.0F * 0x1p-126F) * (1.0F / 6.0F)), 0x1p-126F);
}

// The nearest E4M3 value, ties to even, saturating.
__device__ inline float to_e4m3(float x) {
  const float m = fminf(fabsf(x), 448.0F);
  float r;
  if (m < 0x1p-6F) {
    r = rintf(m * 0x1p9F) * 0x1p-9F;
  } else {
    unsigned bits = __float_as_uint(m);
    bits += 0x7FFFFU + (bits >> 20 & 1U);
    r = fminf(__uint_as_float(bits & ~0xFFFFFU), 448.0F);
  }
  return x != x ? x : copysignf(r, x);
}

// The nearest E2M1 value (0, 0.5, 1, 1.5, 2, 3, 4, 6), a tie to the even code, saturating.
__device__ inline float to_e2m1(float x) {
  const float m = fabsf(x);
  float r = 6.0F;
  if (m <= 5.0F) r = 4.0F;
  if (m < 3.5F) r = 3.0F;
  if (m <= 2.5F) r = 2.0F;
  if (m < 1.75F) r = 1.5F;
  if (m <= 1.25F) r = 1.0F;
  if (m < 0.75F) r = 0.5F;
  if (m <= 0.25F) r = 0.0F;
  return copysignf(r, x);
}

// The codes of those.
__device__ inline unsigned e4m3_code(float x) {
  const unsigned bits = __float_as_uint(to_e4m3(x)), sign = bits >> 31 << 7;
  const float m = __uint_as_float(bits & 0x7FFFFFFFU);
  if (m != m) return sign | 0x7FU;
  return sign |
         (m < 0x1p-6F ? static_cast<unsigned>(m * 0x1p9F) : (__float_as_uint(m) >> 20) - 960U);
}
__device__ inline unsigned e2m1_code(float x) {
  const unsigned bits = __float_as_uint(to_e2m1(x)), m = bits & 0x7FFFFFFFU;
  return bits >> 31 << 3 | (m >= 0x3F800000U ? (m >> 22) - 252U : m != 0 ? 1U : 0U);
}

__device__ inline float round_e4m3(float x, float scale) {
  return to_e4m3(x * (1.0F / scale)) * scale;
}
__device__ inline float round_e2m1(float x, float scale) {
  return to_e2m1(x * (1.0F / scale)) * scale;
}

__device__ inline unsigned pack(std::uint16_t low, std::uint16_t high) {
  return static_cast<unsigned>(low) | static_cast<unsigned>(high) << 16;
}
__device__ inline uint2 pack4(const std::uint16_t (&v)[4]) {
  return make_uint2(pack(v[0], v[1]), pack(v[2], v[3]));
}

// Two BF16 values, `low` in the lower half.
__device__ inline unsigned bf16_pair(float low, float high) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

// The first kTerms of the BF16 terms of four floats, `plane` elements apart. Three are exact.
template <int kTerms>
__device__ inline void store_terms(std::uint16_t* to, std::size_t plane, float4 x) {
#pragma unroll
  for (int p = 0; p < kTerms; ++p) {
    const uint2 bits = make_uint2(bf16_pair(x.x, x.y), bf16_pair(x.z, x.w));
    *reinterpret_cast<uint2*>(to + static_cast<std::size_t>(p) * plane) = bits;
    x = make_float4(
        x.x - __uint_as_float(bits.x << 16), x.y - __uint_as_float(bits.x & 0xFFFF0000U),
        x.z - __uint_as_float(bits.y << 16), x.w - __uint_as_float(bits.y & 0xFFFF0000U));
  }
}

// Writes columns [col, col + 4) of a row as fp32 and as split planes.
__device__ inline void store_exact(const Activation& a, std::size_t row, int col, float4 x) {
  const std::size_t at = row * a.cols + static_cast<std::size_t>(col);
  if (a.f32 != nullptr) store4(a.f32 + at, x);
  if (a.split == nullptr) return;
  if (a.terms == 2) {
    store_terms<2>(a.split + at, a.plane, x);
  } else {
    store_terms<3>(a.split + at, a.plane, x);
  }
}

// A whole row by the first `warps` warps of a block, a warp a group of 128 columns: value(col)
// gives columns [col, col + 4).
template <class F>
__device__ inline void store_row(const Activation& a, std::size_t row, const F& value,
                                 int warps = static_cast<int>(blockDim.x) / kWarp) {
  const int cols = static_cast<int>(a.cols);
  const int lane = threadIdx.x % kWarp;
  for (int from = static_cast<int>(threadIdx.x) / kWarp * 128; from < cols; from += warps * 128) {
    const int col = from + 4 * lane;
    const bool inside = col < cols;
    const float4 x = inside ? value(col) : make_float4(0, 0, 0, 0);
    if (inside) store_exact(a, row, col, x);
    if (a.rounded == nullptr) continue;
    const float most =
        group_max<kWarp>(fmaxf(fmaxf(fabsf(x.x), fabsf(x.y)), fmaxf(fabsf(x.z), fabsf(x.w))));
    const float scale = fp8_scale(most);
    if (!inside) continue;
    const std::uint16_t v[4] = {
        bf16_bits(round_e4m3(x.x, scale)), bf16_bits(round_e4m3(x.y, scale)),
        bf16_bits(round_e4m3(x.z, scale)), bf16_bits(round_e4m3(x.w, scale))};
    *reinterpret_cast<uint2*>(a.rounded + row * a.cols + static_cast<std::size_t>(col)) = pack4(v);
  }
}

}  // namespace ambit::inference::ops::cuda
