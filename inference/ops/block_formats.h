// The block formats of GGUF files: 32 or 256 neighbouring values of a row share scales that are
// stored with them. Layouts are facts of the ggml format (its type numbers in brackets); every
// multi-byte field is little-endian, f16 is IEEE half precision.
//
//   format      values bytes  layout                                        value
//   Q4_0    [2]     32    18  f16 d, q[16]                                  d (q - 8)
//   Q4_1    [3]     32    20  f16 d, f16 m, q[16]                           d q + m
//   Q5_0    [6]     32    22  f16 d, high u32, q[16]                        d (q - 16)
//   Q5_1    [7]     32    24  f16 d, f16 m, high u32, q[16]                 d q + m
//   Q8_0    [8]     32    34  f16 d, i8 q[32]                               d q
//   IQ4_NL [20]     32    18  f16 d, q[16]                                  d table[q]
//   MXFP4  [39]     32    17  e8m0 e, q[16]                                 e e2m1(q)
//   Q2_K   [10]    256    84  sm[16], q[64], f16 d, f16 m                   d s q - m min
//   Q3_K   [11]    256   110  high[32], q[64], s[12], f16 d                 d (s - 32)(q - 4)
//   Q4_K   [12]    256   144  f16 d, f16 m, sm[12], q[128]                  d s q - m min
//   Q5_K   [13]    256   176  f16 d, f16 m, sm[12], high[32], q[128]        d s q - m min
//   Q6_K   [14]    256   210  low[128], high[64], i8 s[16], f16 d           d s (q - 32)
//   IQ2_XXS[16]    256    66  f16 d, (grid[4], signs and s: u32)[8]         d (s + 1/2) / 4 · ±
//   grid IQ4_XS [23]    256   136  f16 d, u16 s high, s low[4], q[128]           d (s - 32)
//   table[q]
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ambit::inference::ops {

enum class BlockFormat : std::uint8_t {
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kIq4Nl,
  kMxfp4,
  kQ2K,
  kQ3K,
  kQ4K,
  kQ5K,
  kQ6K,
  kIq2Xxs,
  kIq4Xs,
};

struct BlockShape {
  std::size_t values = 0;  // a row holds a multiple of these
  std::size_t bytes = 0;
};
[[nodiscard]] BlockShape block_shape(BlockFormat format);
[[nodiscard]] std::string_view to_string(BlockFormat format);

// n values (a multiple of the block's) as fp32. blocks need no alignment.
void unpack_blocks(BlockFormat format, const std::uint8_t* blocks, std::size_t n, float* out);

[[nodiscard]] float half_value(std::uint16_t bits);

}  // namespace ambit::inference::ops
