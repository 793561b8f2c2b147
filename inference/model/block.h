// One block (section 2.2): (mHC-pre, norm, attention, mHC-post), then the same with the experts.
#pragma once

#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// streams: [rows, n, D], in place. layer: index in the state (MTP blocks follow the backbone).
void block(const StepContext& step, const BlockWeights& w, std::size_t layer, float* streams);

}  // namespace ambit::inference
