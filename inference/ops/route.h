// Choice of experts for one token (section 2.11). s = sqrt(softplus(logit)); score-routed layers
// pick the k largest s + bias (ties: lower expert), hash-routed layers take the experts that a
// table names for the token id. Weights are s without bias, divided by their sum, times
// route_scale.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ambit::inference::ops {

struct RouteArgs {
  const float* logits = nullptr;        // [experts]
  const float* bias = nullptr;          // [experts], or null: none
  const std::int32_t* fixed = nullptr;  // [k] experts of this token id, or null: choose
  std::size_t experts = 0;
  std::size_t k = 0;
  float route_scale = 1;
  std::int32_t* ids = nullptr;  // [k], ascending when chosen, in table order when fixed
  float* weights = nullptr;     // [k]
  float* scratch = nullptr;     // [experts]
};

void route(const RouteArgs& args);

}  // namespace ambit::inference::ops
