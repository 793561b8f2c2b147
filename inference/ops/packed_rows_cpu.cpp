#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "inference/ops/packed_rows.h"
#include "inference/ops/quantize.h"

namespace ambit::inference::ops {
namespace {

float largest_magnitude(const float* x, std::size_t n) {
  float largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  return largest;
}

struct KeyPlace {
  std::size_t byte;  // in the block
  unsigned shift;    // 0 or 4
};
KeyPlace place_of(std::size_t i, std::size_t column) {
  return {(i / 8 * kKeyBlock + column) * 4 + i % 4, i % 8 < 4 ? 0U : 4U};
}
std::size_t scale_at(std::size_t dim, std::size_t group, std::size_t column) {
  return (dim + 7) / 8 * 4 * kKeyBlock + group * kKeyBlock + column;
}

}  // namespace

void pack_kv_row(const float* x, std::size_t dim, std::size_t rope, std::uint8_t* row) {
  const std::size_t flat = dim - rope;
  std::uint8_t* scales = row + flat + 2 * rope;
  for (std::size_t at = 0; at < flat; at += 64) {
    const std::size_t n = std::min<std::size_t>(64, flat - at);
    const std::uint8_t scale = fp8_scale(largest_magnitude(x + at, n));
    const float inverse = 1.0F / e8m0_value(scale);
    scales[at / 64] = scale;
    for (std::size_t i = at; i < at + n; ++i) row[i] = e4m3_code(x[i] * inverse);
  }
  for (std::size_t i = 0; i < rope; ++i) {
    const auto half = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x[flat + i]) >> 16U);
    std::memcpy(row + flat + 2 * i, &half, 2);
  }
}

void unpack_kv_rows_reference(const std::uint8_t* const* rows, std::size_t n, std::size_t dim,
                              std::size_t rope, float* out) {
  const std::size_t flat = dim - rope;
  for (std::size_t r = 0; r < n; ++r, out += dim) {
    const std::uint8_t* row = rows[r];
    const std::uint8_t* scales = row + flat + 2 * rope;
    for (std::size_t i = 0; i < flat; ++i) out[i] = e4m3_value(row[i]) * e8m0_value(scales[i / 64]);
    for (std::size_t i = 0; i < rope; ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, row + flat + 2 * i, 2);
      out[flat + i] = std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16U);
    }
  }
}

void pack_key(const float* key, std::size_t dim, std::size_t column, std::uint8_t* block) {
  for (std::size_t at = 0; at < dim; at += 32) {
    const std::size_t n = std::min<std::size_t>(32, dim - at);
    const std::uint8_t scale = fp4_scale(largest_magnitude(key + at, n));
    const float inverse = 1.0F / e8m0_value(scale);
    block[scale_at(dim, at / 32, column)] = scale;
    for (std::size_t i = at; i < at + n; ++i) {
      const KeyPlace p = place_of(i, column);
      const unsigned code = e2m1_code(key[i] * inverse);
      block[p.byte] =
          static_cast<std::uint8_t>((block[p.byte] & (0xF0U >> p.shift)) | code << p.shift);
    }
  }
}

void unpack_key(const std::uint8_t* block, std::size_t dim, std::size_t column, float* key) {
  for (std::size_t i = 0; i < dim; ++i) {
    const KeyPlace p = place_of(i, column);
    key[i] = e2m1_value(static_cast<std::uint8_t>(block[p.byte] >> p.shift & 15U)) *
             e8m0_value(block[scale_at(dim, i / 32, column)]);
  }
}

}  // namespace ambit::inference::ops
