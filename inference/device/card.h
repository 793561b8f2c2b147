// The graphics cards of this machine as a plan needs them (plan.h): each measured with the engine's
// own kernels in well under a second.
#pragma once

#include <vector>

#include "inference/plan.h"

namespace ambit::inference {

// At least one. Errors: kUnavailable, with the reason, without a card, a driver or
// libambit_cuda.so.
[[nodiscard]] Result<std::vector<Card>> measure_cards();

}  // namespace ambit::inference
