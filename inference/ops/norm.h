// RMS normalisation in fp32: R(x) = x / sqrt(mean(x²) + eps), RMS_w(x) = w · R(x), the weight
// multiplied after (DeepSeek-V4, design notes section 2: "no 1+w").
// Rows are independent: the result of a row does not depend on how many rows a call has.
#pragma once

#include <cstddef>

namespace ambit::inference::ops {

// x, out: `rows` rows of `dim` floats, `x_stride` and `out_stride` floats apart; out may be x.
// weight: [dim], or null for the un-weighted norm (per query head).
struct RmsNormArgs {
  const float* x = nullptr;
  std::size_t x_stride = 0;
  const float* weight = nullptr;
  float* out = nullptr;
  std::size_t out_stride = 0;
  std::size_t rows = 0;
  std::size_t dim = 0;
  float eps = 0;
};

void rms_norm_reference(const RmsNormArgs& args);
void rms_norm_cpu(const RmsNormArgs& args);

// rsqrt(mean(x²) + eps) of one row, summed in a fixed order.
[[nodiscard]] float inverse_rms_reference(const float* x, std::size_t dim, float eps);
[[nodiscard]] float inverse_rms_cpu(const float* x, std::size_t dim, float eps);

}  // namespace ambit::inference::ops
