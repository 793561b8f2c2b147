// Mixture of experts (section 2.11): router, routed experts batched by routing, shared expert.
#pragma once

#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// x: [rows, D], normed. out: [rows, D]. Hash-routed layers read step.ids.
void moe(const StepContext& step, const MoeWeights& w, std::size_t layer, const float* x,
         float* out);

}  // namespace ambit::inference
