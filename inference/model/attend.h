// Attention proper (section 2.9): every token of the step over its window rows and the compressed
// rows that it sees or that were selected for it.
#pragma once

#include "inference/model/lightning_indexer.h"
#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// q: [rows, heads · head_dim], roped. out: the same shape, rotated back (inverse RoPE). All rows of
// the step are in the state already. selection: without ids, all visible compressed rows.
void attend(const StepContext& step, const AttentionWeights& w, std::size_t layer,
            const Selection& selection, const RopeAngles& rope, const float* q, float* out);

}  // namespace ambit::inference
