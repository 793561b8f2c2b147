// The compressor (section 2.7): every token leaves a raw row (values and scores) in the state; a
// block of `ratio` tokens becomes one compressed row as soon as its last token is there. Used
// twice: for attention rows and, with the indexer's dimensions, for index keys.
#pragma once

#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

enum class CompressorUse : std::uint8_t { kAttention, kIndex };

// x: [rows, D], the normed attention input. Writes raw rows of all rows of the step, and the
// compressed rows of every block that they complete.
void compress_step(const StepContext& step, const CompressorWeights& w, CompressorUse use,
                   std::size_t layer, const float* x);

}  // namespace ambit::inference
