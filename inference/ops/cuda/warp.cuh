// What every kernel here shares.
#pragma once

#include <cstdint>

namespace ambit::inference::ops::cuda {

inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;
inline constexpr int kWarp = 32;

// The sum over the warp, in every lane, added in a fixed order.
__device__ inline float warp_sum(float value) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, step);
  }
  return value;
}

// 2^(byte - 127); 255 is NaN in the format and stays one.
__device__ inline float e8m0(std::uint8_t byte) {
  // Byte 0 is 2^-127, a subnormal of fp32.
  if (byte == 0) return __uint_as_float(0x00400000U);
  if (byte == 255) return __uint_as_float(0x7FC00000U);
  return __uint_as_float(static_cast<unsigned>(byte) << 23);
}

}  // namespace ambit::inference::ops::cuda
