// y = x · wᵀ with w in the checkpoint's own format, multiplied as it is stored: F32, BF16, FP8 E4M3
// with one E8M0 scale per 128 × 128 block, FP4 E2M1 (two a byte, the low nibble first) with one
// E8M0 scale per row and 32 columns (design notes section 4), F16, and the blocks of
// block_formats.h. Accumulation is fp32. The bits of
// y[r] depend on x[r] and w alone: not on how many rows a call has, not on threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "inference/ops/block_formats.h"
#include "inference/ops/thread_pool.h"

namespace ambit::inference::ops {

enum class MatrixType : std::uint8_t { kF32, kF16, kBf16, kFp8Block128, kFp4Group32, kBlocks };

// A view: the bytes belong to the checkpoint's mapping or to whoever made it.
struct Matrix {
  MatrixType type = MatrixType::kF32;
  std::size_t rows = 0;
  std::size_t cols = 0;
  const std::byte* data = nullptr;
  const std::uint8_t* scales = nullptr;  // E8M0; [⌈rows/128⌉, ⌈cols/128⌉] or [rows, cols/32]
  BlockFormat blocks = BlockFormat::kQ8_0;  // of kBlocks: scales are among the data
  // Trained with inputs rounded to FP8, so that release numerics rounds them.
  [[nodiscard]] bool is_quantised() const {
    return type == MatrixType::kFp8Block128 || type == MatrixType::kFp4Group32;
  }
};

struct GemmArgs {
  const Matrix* w = nullptr;
  std::size_t first = 0;  // rows [first, first + count) of w
  std::size_t count = 0;
  const float* x = nullptr;  // [n, w->cols], x_stride floats apart
  std::size_t x_stride = 0;
  std::size_t n = 0;
  float* y = nullptr;  // [n, count], y_stride floats apart
  std::size_t y_stride = 0;
};

void gemm_reference(const GemmArgs& args);
void gemm_cpu(const GemmArgs& args, ThreadPool& pool);

// Row `row` of w as fp32: out [w.cols].
void unpack_row(const Matrix& w, std::size_t row, float* out);

// The instruction set that the fast paths run on, for people: "AVX3_ZEN4", "AVX2", "NEON", …
[[nodiscard]] std::string simd_name();

}  // namespace ambit::inference::ops
