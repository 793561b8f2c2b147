#include "inference/ops/block_formats.h"

#include <array>
#include <bit>
#include <cstring>

#include "inference/ops/quantize.h"

namespace ambit::inference::ops {
namespace {

using std::size_t;
using std::uint8_t;

// The codebook of IQ4_NL and IQ4_XS.
constexpr std::array<std::int8_t, 16> kNonLinear = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                    1,    13,   25,  38,  53,  69,  89,  113};

// IQ2_XXS's codebook is a set of points in {8, 25, 43}^8 and a code is a point's rank. Written in
// base 3, the first coordinate the least digit, the points ascend; here are half their distances.
constexpr std::array<uint8_t, 256> kGridSteps = {
    0,  1,  1,  1,  1,  1,  1,  3,  1,  2,  1,  1,  1,   3,  3,  2,  1,  3,  1,  3,  6,  4,
    1,  3,  2,  7,  15, 6,  6,  1,  9,  18, 13, 1,  3,   5,  1,  3,  1,  2,  6,  5,  1,  3,
    6,  3,  1,  2,  6,  7,  10, 1,  5,  12, 1,  9,  15,  9,  3,  2,  1,  3,  6,  2,  1,  3,
    1,  11, 12, 12, 28, 5,  35, 1,  3,  5,  4,  9,  6,   3,  2,  7,  3,  6,  9,  4,  5,  24,
    5,  25, 3,  6,  2,  6,  10, 21, 16, 17, 7,  34, 1,   3,  9,  14, 13, 2,  34, 23, 22, 1,
    3,  11, 8,  4,  1,  25, 4,  24, 1,  40, 1,  3,  9,   7,  20, 14, 10, 48, 12, 6,  24, 63,
    26, 1,  3,  3,  2,  1,  3,  3,  4,  2,  5,  1,  3,   9,  9,  14, 4,  2,  12, 4,  12, 4,
    5,  15, 3,  6,  18, 8,  11, 5,  30, 41, 1,  3,  9,   2,  25, 21, 2,  5,  28, 16, 9,  3,
    2,  3,  1,  18, 3,  12, 13, 23, 35, 40, 1,  12, 37,  19, 21, 5,  3,  16, 30, 30, 39, 3,
    9,  12, 15, 20, 28, 15, 18, 2,  43, 1,  23, 67, 107, 1,  3,  10, 14, 14, 6,  6,  32, 36,
    1,  3,  2,  7,  9,  18, 16, 17, 11, 10, 9,  19, 41,  44, 37, 3,  6,  3,  23, 11, 20, 29,
    25, 10, 5,  44, 90, 22, 73, 17, 11, 15, 37, 48, 132, 24};

constexpr std::array<uint8_t, 2048> make_grid() {
  constexpr std::array<uint8_t, 3> kMagnitudes = {8, 25, 43};
  std::array<uint8_t, 2048> grid{};
  unsigned point = 0;
  for (size_t i = 0; i < 256; ++i) {
    point += 2U * kGridSteps[i];
    unsigned digits = point;
    for (size_t j = 0; j < 8; ++j) {
      grid[8 * i + j] = kMagnitudes[digits % 3];
      digits /= 3;
    }
  }
  return grid;
}
constexpr std::array<uint8_t, 2048> kGrid = make_grid();

float half_at(const uint8_t* p) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, p, 2);
  return half_value(bits);
}
std::uint32_t word_at(const uint8_t* p) {
  std::uint32_t w = 0;
  std::memcpy(&w, p, 4);
  return w;
}
float signed_at(const uint8_t* p) {
  return static_cast<float>(static_cast<std::int8_t>(*p));
}

void q4_0(const uint8_t* b, float* y) {
  const float d = half_at(b);
  for (size_t i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>((b[2 + i] & 15) - 8);
    y[i + 16] = d * static_cast<float>((b[2 + i] >> 4) - 8);
  }
}

void q4_1(const uint8_t* b, float* y) {
  const float d = half_at(b);
  const float m = half_at(b + 2);
  for (size_t i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(b[4 + i] & 15) + m;
    y[i + 16] = d * static_cast<float>(b[4 + i] >> 4) + m;
  }
}

// Value i of Q5_0 and Q5_1: four bits in q, the fifth in bit i of high.
int five_bits(const uint8_t* q, std::uint32_t high, size_t i) {
  const int low = i < 16 ? q[i] & 15 : q[i - 16] >> 4;
  return low | static_cast<int>(high >> i & 1U) << 4;
}

void q5_0(const uint8_t* b, float* y) {
  const float d = half_at(b);
  const std::uint32_t high = word_at(b + 2);
  for (size_t i = 0; i < 32; ++i) y[i] = d * static_cast<float>(five_bits(b + 6, high, i) - 16);
}

void q5_1(const uint8_t* b, float* y) {
  const float d = half_at(b);
  const float m = half_at(b + 2);
  const std::uint32_t high = word_at(b + 4);
  for (size_t i = 0; i < 32; ++i) y[i] = d * static_cast<float>(five_bits(b + 8, high, i)) + m;
}

void q8_0(const uint8_t* b, float* y) {
  const float d = half_at(b);
  for (size_t i = 0; i < 32; ++i) y[i] = d * signed_at(b + 2 + i);
}

void iq4_nl(const uint8_t* b, float* y) {
  const float d = half_at(b);
  for (size_t i = 0; i < 16; ++i) {
    y[i] = d * kNonLinear[b[2 + i] & 15];
    y[i + 16] = d * kNonLinear[b[2 + i] >> 4];
  }
}

void mxfp4(const uint8_t* b, float* y) {
  const float d = e8m0_value(b[0]);
  for (size_t i = 0; i < 16; ++i) {
    y[i] = d * e2m1_value(b[1 + i] & 15);
    y[i + 16] = d * e2m1_value(b[1 + i] >> 4);
  }
}

// Two bits a value in q, 64 bytes for 256: value 128 h + 32 j + i is in byte 32 h + i, bits 2 j.
int two_bits(const uint8_t* q, size_t i) {
  return q[32 * (i / 128) + i % 32] >> (2 * (i / 32 % 4)) & 3;
}

void q2_k(const uint8_t* b, float* y) {
  const float d = half_at(b + 80);
  const float least = half_at(b + 82);
  for (size_t i = 0; i < 256; ++i) {
    const uint8_t s = b[i / 16];
    y[i] = d * static_cast<float>(s & 15) * static_cast<float>(two_bits(b + 16, i)) -
           least * static_cast<float>(s >> 4);
  }
}

void q3_k(const uint8_t* b, float* y) {
  const uint8_t* s = b + 96;
  const float d = half_at(b + 108);
  std::array<float, 16> scale{};
  for (size_t j = 0; j < 16; ++j) {
    const int low = j < 8 ? s[j] & 15 : s[j - 8] >> 4;
    const int high = s[8 + j % 4] >> (2 * (j / 4)) & 3;
    scale[j] = d * static_cast<float>((low | high << 4) - 32);
  }
  for (size_t i = 0; i < 256; ++i) {
    const bool high = (b[i % 32] >> (i / 32) & 1) != 0;
    y[i] = scale[i / 16] * static_cast<float>(two_bits(b + 32, i) - (high ? 0 : 4));
  }
}

// Scale and minimum of sub-block j of Q4_K and Q5_K: six bits each in twelve bytes.
struct ScaleMin {
  float scale, least;
};
ScaleMin scale_min(const uint8_t* s, size_t j) {
  const int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
  const int least = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] >> 6) << 4;
  return {static_cast<float>(scale), static_cast<float>(least)};
}

void q4_k(const uint8_t* b, float* y) {
  const float d = half_at(b);
  const float m = half_at(b + 2);
  for (size_t j = 0; j < 8; ++j) {
    const ScaleMin sm = scale_min(b + 4, j);
    const float scale = d * sm.scale;
    const float least = m * sm.least;
    const uint8_t* q = b + 16 + 32 * (j / 2);
    for (size_t i = 0; i < 32; ++i) {
      const int v = j % 2 == 0 ? q[i] & 15 : q[i] >> 4;
      y[32 * j + i] = scale * static_cast<float>(v) - least;
    }
  }
}

void q5_k(const uint8_t* b, float* y) {
  const float d = half_at(b);
  const float m = half_at(b + 2);
  const uint8_t* high = b + 16;
  for (size_t j = 0; j < 8; ++j) {
    const ScaleMin sm = scale_min(b + 4, j);
    const float scale = d * sm.scale;
    const float least = m * sm.least;
    const uint8_t* q = b + 48 + 32 * (j / 2);
    for (size_t i = 0; i < 32; ++i) {
      const int v = (j % 2 == 0 ? q[i] & 15 : q[i] >> 4) | (high[i] >> j & 1) << 4;
      y[32 * j + i] = scale * static_cast<float>(v) - least;
    }
  }
}

void q6_k(const uint8_t* b, float* y) {
  const float d = half_at(b + 208);
  for (size_t i = 0; i < 256; ++i) {
    const size_t half = i / 128;
    const size_t in_half = i % 128;
    const uint8_t low = b[64 * half + in_half % 64];
    const uint8_t high = b[128 + 32 * half + in_half % 32];
    const int v = (in_half < 64 ? low & 15 : low >> 4) | (high >> (2 * (in_half / 32)) & 3) << 4;
    y[i] = d * signed_at(b + 192 + i / 16) * static_cast<float>(v - 32);
  }
}

void iq2_xxs(const uint8_t* b, float* y) {
  const float d = half_at(b);
  for (size_t g = 0; g < 8; ++g) {
    const uint8_t* codes = b + 2 + 8 * g;
    const std::uint32_t rest = word_at(codes + 4);
    const float scale = d * (0.5F + static_cast<float>(rest >> 28U)) * 0.25F;
    for (size_t p = 0; p < 4; ++p) {
      // Seven signs are stored; the eighth makes their number even.
      std::uint32_t signs = rest >> (7 * p) & 127U;
      signs |= static_cast<std::uint32_t>(std::popcount(signs) & 1) << 7U;
      const uint8_t* point = kGrid.data() + 8 * size_t{codes[p]};
      for (size_t i = 0; i < 8; ++i) {
        const float v = scale * static_cast<float>(point[i]);
        y[32 * g + 8 * p + i] = (signs >> i & 1U) != 0 ? -v : v;
      }
    }
  }
}

void iq4_xs(const uint8_t* b, float* y) {
  const float d = half_at(b);
  const unsigned high = b[2] | static_cast<unsigned>(b[3]) << 8U;
  for (size_t g = 0; g < 8; ++g) {
    const int low = g % 2 == 0 ? b[4 + g / 2] & 15 : b[4 + g / 2] >> 4;
    const int scale = low | static_cast<int>(high >> (2 * g) & 3U) << 4;
    const float dl = d * static_cast<float>(scale - 32);
    const uint8_t* q = b + 8 + 16 * g;
    for (size_t i = 0; i < 16; ++i) {
      y[32 * g + i] = dl * kNonLinear[q[i] & 15];
      y[32 * g + i + 16] = dl * kNonLinear[q[i] >> 4];
    }
  }
}

template <void (*kUnpack)(const uint8_t*, float*), size_t kValues, size_t kBytes>
void each_block(const uint8_t* b, size_t n, float* y) {
  for (size_t i = 0; i < n; i += kValues, b += kBytes) kUnpack(b, y + i);
}

struct Format {
  std::string_view name;
  BlockShape shape;
  void (*unpack)(const uint8_t*, size_t, float*);
};
template <void (*kUnpack)(const uint8_t*, float*), size_t kValues, size_t kBytes>
constexpr Format format(std::string_view name) {
  return {name, {kValues, kBytes}, each_block<kUnpack, kValues, kBytes>};
}

// In the order of BlockFormat.
constexpr std::array kFormats = {
    format<q4_0, 32, 18>("Q4_0"),        format<q4_1, 32, 20>("Q4_1"),
    format<q5_0, 32, 22>("Q5_0"),        format<q5_1, 32, 24>("Q5_1"),
    format<q8_0, 32, 34>("Q8_0"),        format<iq4_nl, 32, 18>("IQ4_NL"),
    format<mxfp4, 32, 17>("MXFP4"),      format<q2_k, 256, 84>("Q2_K"),
    format<q3_k, 256, 110>("Q3_K"),      format<q4_k, 256, 144>("Q4_K"),
    format<q5_k, 256, 176>("Q5_K"),      format<q6_k, 256, 210>("Q6_K"),
    format<iq2_xxs, 256, 66>("IQ2_XXS"), format<iq4_xs, 256, 136>("IQ4_XS"),
};

}  // namespace

float half_value(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
  const std::uint32_t rest = bits & 0x7FFFU;
  if (rest >= 0x7C00U) {  // infinity and NaN
    return std::bit_cast<float>(sign | 0x7F800000U | (rest & 0x3FFU) << 13U);
  }
  if (rest < 0x400U) {  // subnormal: a multiple of 2^-24
    const float v = static_cast<float>(rest) * 0x1p-24F;
    return sign != 0 ? -v : v;
  }
  return std::bit_cast<float>(sign | ((rest << 13U) + (112U << 23U)));
}

BlockShape block_shape(BlockFormat format) {
  return kFormats[static_cast<size_t>(format)].shape;
}

std::string_view to_string(BlockFormat format) {
  return kFormats[static_cast<size_t>(format)].name;
}

void unpack_blocks(BlockFormat format, const std::uint8_t* blocks, std::size_t n, float* out) {
  kFormats[static_cast<size_t>(format)].unpack(blocks, n, out);
}

}  // namespace ambit::inference::ops
