#include "inference/ops/experts.h"

#include <algorithm>
#include <cmath>

namespace ambit::inference::ops {

void swiglu_reference(const float* gate, const float* up, std::size_t n, float limit, float weight,
                      float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const float g = std::min(gate[i], limit);
    const float u = std::clamp(up[i], -limit, limit);
    out[i] = g / (1.0F + std::exp(-g)) * u * weight;
  }
}

}  // namespace ambit::inference::ops
