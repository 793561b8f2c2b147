// From residual streams to logits (section 2.13): collapse, norm, and the vocabulary matrix in
// fp32.
#pragma once

#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// streams: [rows, n, D]; logits: [rows, vocab] out. norm: [D] of the backbone or of an MTP block.
void head(const StepContext& step, const HcWeights& hc, const float* norm,
          const ops::Matrix& vocabulary, const float* streams, std::size_t rows, float* logits);

// The same from collapsed rows, [rows, D].
void head_of_mixed(const StepContext& step, const float* norm, const ops::Matrix& vocabulary,
                   const float* mixed, std::size_t rows, float* logits);

}  // namespace ambit::inference
