// What becomes of a card's plan when the CPU computes the experts that do not fit (the setting
// engine.host_experts = "cpu", device/cold_experts.h). Pure arithmetic, as plan.h.
#pragma once

#include "inference/plan.h"

namespace ambit::inference {

struct ColdPlan {
  double decode_tps = 0, prefill_tps = 0;  // bounds, as in Plan
  // Whether decode gains so much that slower prefill and other bits may be worth it.
  bool pays = false;
};

// From one token's rows to the CPU and its sums back, a layer: a call by the driver and two
// events. Assumed; not measured on hardware yet.
inline constexpr double kColdTurnUs = 20;

// plan: of `card`, with experts in host memory, at this context. The card's experts and the CPU's
// are computed at once, all else before or after them.
[[nodiscard]] ColdPlan plan_cold_experts(const ModelConfig& config, const Footprint& sizes,
                                         const Plan& plan, std::int64_t context, const Card& card,
                                         const Machine& machine);

}  // namespace ambit::inference
