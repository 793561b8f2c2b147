#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "inference/ops/quantize.h"

namespace ambit::inference::ops {
namespace {

constexpr std::array<float, 8> kE2m1 = {0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F};

// Value of a magnitude code with 3 mantissa bits and exponent bias 7.
float e4m3_magnitude(unsigned code) {
  const unsigned exponent = code >> 3U;
  const auto mantissa = static_cast<float>(code & 7U);
  return exponent == 0 ? std::ldexp(mantissa, -9)
                       : std::ldexp(8.0F + mantissa, static_cast<int>(exponent) - 10);
}

const std::array<float, 256>& e4m3_table() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> t{};
    for (unsigned i = 0; i < 256; ++i) {
      const float m = (i & 0x7FU) == 0x7FU ? std::numeric_limits<float>::quiet_NaN()
                                           : e4m3_magnitude(i & 0x7FU);
      t[i] = (i & 0x80U) != 0 ? -m : m;
    }
    return t;
  }();
  return table;
}

// The least power of two not below x (positive, normal), as an E8M0 code.
std::uint8_t ceil_power(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t exponent = bits >> 23U;
  return static_cast<std::uint8_t>(exponent + ((bits & 0x7FFFFFU) != 0 ? 1U : 0U));
}

float largest_magnitude(const float* x, std::size_t n) {
  float largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  return largest;
}

}  // namespace

float e4m3_value(std::uint8_t code) {
  return e4m3_table()[code];
}

float e2m1_value(std::uint8_t code) {
  const float m = kE2m1[code & 7U];
  return (code & 8U) != 0 ? -m : m;
}

float e8m0_value(std::uint8_t code) {
  if (code == 255) return std::numeric_limits<float>::quiet_NaN();
  return code == 0 ? 0x1p-127F : std::bit_cast<float>(static_cast<std::uint32_t>(code) << 23U);
}

std::uint8_t e4m3_code(float value) {
  const std::uint8_t sign = std::signbit(value) ? 0x80U : 0U;
  if (value != value) return sign | 0x7FU;
  const float m = std::min(std::fabs(value), 448.0F);
  if (m < 0x1p-6F) {
    // Subnormal: a multiple of 2^-9; nearbyint rounds ties to even.
    return sign | static_cast<std::uint8_t>(std::nearbyint(m * 0x1p9F));
  }
  auto bits = std::bit_cast<std::uint32_t>(m);
  bits += 0x7FFFFU + (bits >> 20U & 1U);  // to 3 mantissa bits, ties to even
  const std::uint32_t code = (bits >> 20U) - (120U << 3U);
  return sign | static_cast<std::uint8_t>(std::min(code, 0x7EU));
}

std::uint8_t e2m1_code(float value) {
  const std::uint8_t sign = std::signbit(value) ? 8U : 0U;
  const float m = std::fabs(value);
  // One for every midpoint of neighbours that is passed; a tie goes to the even code.
  const int code = (m > 0.25F) + (m >= 0.75F) + (m > 1.25F) + (m >= 1.75F) + (m > 2.5F) +
                   (m >= 3.5F) + (m > 5.0F);
  return sign | static_cast<std::uint8_t>(code);
}

std::uint8_t fp8_scale(float amax) {
  constexpr float kInverse = 1.0F / 448.0F;
  return ceil_power(std::max(amax, 1e-4F) * kInverse);
}

std::uint8_t fp4_scale(float amax) {
  constexpr float kInverse = 1.0F / 6.0F;
  return std::max<std::uint8_t>(1, ceil_power(std::max(amax, 6.0F * 0x1p-126F) * kInverse));
}

void round_fp8(float* x, std::size_t n, std::size_t group) {
  for (std::size_t at = 0; at < n; at += group) {
    const std::size_t count = std::min(group, n - at);
    const float scale = e8m0_value(fp8_scale(largest_magnitude(x + at, count)));
    const float inverse = 1.0F / scale;  // exact: a power of two
    for (std::size_t i = at; i < at + count; ++i) {
      x[i] = e4m3_value(e4m3_code(x[i] * inverse)) * scale;
    }
  }
}

void round_fp4(float* x, std::size_t n, std::size_t group) {
  for (std::size_t at = 0; at < n; at += group) {
    const std::size_t count = std::min(group, n - at);
    const float scale = e8m0_value(fp4_scale(largest_magnitude(x + at, count)));
    const float inverse = 1.0F / scale;
    for (std::size_t i = at; i < at + count; ++i) {
      x[i] = e2m1_value(e2m1_code(x[i] * inverse)) * scale;
    }
  }
}

void round_bf16(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    auto bits = std::bit_cast<std::uint32_t>(x[i]);
    bits = (bits + 0x7FFFU + (bits >> 16U & 1U)) & 0xFFFF0000U;
    x[i] = std::bit_cast<float>(bits);
  }
}

void hadamard(float* x, std::size_t n) {
  for (std::size_t h = 1; h < n; h *= 2) {
    for (std::size_t i = 0; i < n; i += 2 * h) {
      for (std::size_t j = i; j < i + h; ++j) {
        const float a = x[j];
        const float b = x[j + h];
        x[j] = a + b;
        x[j + h] = a - b;
      }
    }
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(n));
  for (std::size_t i = 0; i < n; ++i) x[i] *= scale;
}

}  // namespace ambit::inference::ops
