// The mHC site around a sublayer (section 2.3): collapse the residual streams to the sublayer's
// input, and write its output back to all of them.
#pragma once

#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// Per row: the factors with which the sublayer's output goes back to the streams.
struct HcMix {
  float* post = nullptr;  // [rows, n]
  float* comb = nullptr;  // [rows, n, n]
};

// streams: [rows, n, D]. mixed: [rows, D] out. Takes post and comb from the step's scratch.
[[nodiscard]] HcMix hc_pre(const StepContext& step, const HcWeights& w, const float* streams,
                           float* mixed);
// streams ← post · f + combᵀ · streams.
void hc_post(const StepContext& step, const HcMix& mix, const float* f, float* streams);

// The collapse before the head: mixed [rows, D] from `rows` rows of streams.
void hc_head(const StepContext& step, const HcWeights& w, const float* streams, std::size_t rows,
             float* mixed);

}  // namespace ambit::inference
