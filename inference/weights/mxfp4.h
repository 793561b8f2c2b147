// GGUF's MXFP4 blocks (ops/block_formats.h) as FP4 with a scale for every 32 columns (ops/gemm.h):
// the same codes and scales in another order, without loss.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ambit::inference {

inline constexpr std::size_t kMxfp4Bytes = 17;  // of a block: scale, then values i and i + 16

// codes: 16 bytes a block, the low nibble first; scales: one a block.
inline void unpack_mxfp4(const std::uint8_t* in, std::size_t blocks, std::uint8_t* codes,
                         std::uint8_t* scales) {
  for (std::size_t b = 0; b < blocks; ++b, in += kMxfp4Bytes) {
    *scales++ = in[0];
    const auto code = [&](std::size_t i) { return in[1 + i % 16] >> (i < 16 ? 0U : 4U) & 15U; };
    for (std::size_t i = 0; i < 32; i += 2) {
      *codes++ = static_cast<std::uint8_t>(code(i) | code(i + 1) << 4U);
    }
  }
}

}  // namespace ambit::inference
