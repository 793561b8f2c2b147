// The number formats of DeepSeek-V4 (design notes sections 2.12 and 4.2): FP8 E4M3, FP4 E2M1,
// scales E8M0; and the roundings that are part of the model's numerics. Rounding is to nearest,
// ties to even.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ambit::inference::ops {

[[nodiscard]] float e4m3_value(std::uint8_t code);  // NaN for 0x7F and 0xFF
[[nodiscard]] float e2m1_value(std::uint8_t code);  // low four bits
[[nodiscard]] float e8m0_value(std::uint8_t code);  // 2^(code - 127); NaN for 255
[[nodiscard]] std::uint8_t e4m3_code(float value);  // saturates at ±448
[[nodiscard]] std::uint8_t e2m1_code(float value);  // saturates at ±6

// The scale of a group of which the largest magnitude is `amax`: an E8M0 code.
[[nodiscard]] std::uint8_t fp8_scale(float amax);  // 2^ceil(log2(max(amax, 1e-4) / 448))
[[nodiscard]] std::uint8_t fp4_scale(float amax);  // 2^ceil(log2(max(amax, 6·2^-126) / 6))

// In place: every group of `group` values (the last may be shorter) to E4M3 or E2M1 and back.
void round_fp8(float* x, std::size_t n, std::size_t group);
void round_fp4(float* x, std::size_t n, std::size_t group);

// Walsh-Hadamard transform in Sylvester order times n^-½, in place; n is a power of two.
void hadamard(float* x, std::size_t n);

// In place: to BF16 and back.
void round_bf16(float* x, std::size_t n);

// A KV row: its leading part to FP8 in groups of 64, its `rope` last values to BF16.
inline void round_kv_row(float* x, std::size_t n, std::size_t rope) {
  round_fp8(x, n - rope, 64);
  round_bf16(x + (n - rope), rope);
}
// An indexer query head or key: Hadamard, then FP4 in groups of 32.
inline void round_index_row(float* x, std::size_t n) {
  hadamard(x, n);
  round_fp4(x, n, 32);
}
// The input of an FP8 or FP4 product: FP8 in groups of 128.
inline void round_input_row(float* x, std::size_t n) {
  round_fp8(x, n, 128);
}

}  // namespace ambit::inference::ops
