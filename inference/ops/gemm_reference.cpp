#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "inference/ops/gemm.h"
#include "inference/ops/quantize.h"

namespace ambit::inference::ops {

void unpack_row(const Matrix& w, std::size_t row, float* out) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(w.data);
  switch (w.type) {
    case MatrixType::kF32:
      std::memcpy(out, bytes + row * w.cols * 4, w.cols * 4);
      return;
    case MatrixType::kF16:
      for (std::size_t i = 0; i < w.cols; ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, bytes + (row * w.cols + i) * 2, 2);
        out[i] = half_value(bits);
      }
      return;
    case MatrixType::kBlocks: {
      const BlockShape shape = block_shape(w.blocks);
      unpack_blocks(w.blocks, bytes + row * (w.cols / shape.values * shape.bytes), w.cols, out);
      return;
    }
    case MatrixType::kBf16:
      for (std::size_t i = 0; i < w.cols; ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, bytes + (row * w.cols + i) * 2, 2);
        out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
      }
      return;
    case MatrixType::kFp8Block128: {
      const std::size_t blocks = (w.cols + 127) / 128;
      for (std::size_t i = 0; i < w.cols; ++i) {
        out[i] = e4m3_value(bytes[row * w.cols + i]) *
                 e8m0_value(w.scales[row / 128 * blocks + i / 128]);
      }
      return;
    }
    case MatrixType::kFp4Group32:
      for (std::size_t i = 0; i < w.cols; ++i) {
        const std::uint8_t pair = bytes[(row * w.cols + i) / 2];
        out[i] = e2m1_value(i % 2 == 0 ? pair & 0xFU : pair >> 4U) *
                 e8m0_value(w.scales[(row * w.cols + i) / 32]);
      }
      return;
  }
}

void gemm_reference(const GemmArgs& a) {
  const std::size_t cols = a.w->cols;
  std::vector<float> row(cols);
  for (std::size_t o = 0; o < a.count; ++o) {
    unpack_row(*a.w, a.first + o, row.data());
    for (std::size_t r = 0; r < a.n; ++r) {
      float sum = 0;
      for (std::size_t i = 0; i < cols; ++i) sum += a.x[r * a.x_stride + i] * row[i];
      a.y[r * a.y_stride + o] = sum;
    }
  }
}

}  // namespace ambit::inference::ops
