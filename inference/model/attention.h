// Attention over the window and the selected compressed rows (sections 2.4 to 2.10).
#pragma once

#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// x: [rows, D], normed. out: [rows, D]. Writes the state of all rows of the step in this layer.
void attention(const StepContext& step, const AttentionWeights& w, std::size_t layer,
               const float* x, float* out);

// The window rows alone: x through wkv, normed, roped, rounded, for all rows of the step.
void write_window(const StepContext& step, const AttentionWeights& w, std::size_t layer,
                  const float* x, const RopeAngles& rope);

}  // namespace ambit::inference
