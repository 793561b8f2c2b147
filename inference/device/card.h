// The graphics card of this machine as a plan needs it (plan.h): measured with the engine's own
// kernels in well under a second.
#pragma once

#include "inference/plan.h"

namespace ambit::inference {

// Errors: kUnavailable, with the reason, without a card, a driver or libambit_cuda.so.
[[nodiscard]] Result<Card> measure_card();

}  // namespace ambit::inference
