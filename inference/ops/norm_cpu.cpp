#include <cmath>

#include "inference/ops/norm.h"

namespace ambit::inference::ops {

float inverse_rms_reference(const float* x, std::size_t dim, float eps) {
  float sum = 0;
  for (std::size_t i = 0; i < dim; ++i) sum += x[i] * x[i];
  return 1.0F / std::sqrt(sum / static_cast<float>(dim) + eps);
}

void rms_norm_reference(const RmsNormArgs& a) {
  for (std::size_t r = 0; r < a.rows; ++r) {
    const float* x = a.x + r * a.x_stride;
    float* out = a.out + r * a.out_stride;
    const float scale = inverse_rms_reference(x, a.dim, a.eps);
    for (std::size_t i = 0; i < a.dim; ++i) {
      const float y = x[i] * scale;
      out[i] = a.weight == nullptr ? y : a.weight[i] * y;
    }
  }
}

}  // namespace ambit::inference::ops
