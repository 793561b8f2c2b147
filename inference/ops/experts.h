// The elementwise middle of a SwiGLU expert (section 2.11):
//   a = silu(min(g, limit)) · clamp(u, -limit, limit) · weight
// g = w1·x, u = w3·x; the routing weight is applied before w2. The gate is clamped from above only.
#pragma once

#include <cstddef>

namespace ambit::inference::ops {

// n values; out may be gate or up. limit: +infinity for none.
void swiglu_reference(const float* gate, const float* up, std::size_t n, float limit, float weight,
                      float* out);
void swiglu_cpu(const float* gate, const float* up, std::size_t n, float limit, float weight,
                float* out);

}  // namespace ambit::inference::ops
