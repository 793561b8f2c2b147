// The multi-token prediction block (section 2.14). For the pair (q, q+1) it takes the backbone's
// final streams of position q and the embedding of token q+1, and predicts token q+2. Its window
// row for that pair is kept with token q+1, so that the state of a page of tokens follows from
// those tokens and the ones before; the rotary position is q.
#pragma once

#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// step: rows are the tokens q+1 (positions ≥ 1), rope angles those of q, first_position 1.
// embedded: [rows, D]; streams: [rows, n, D] of the positions q, replaced by the block's output.
// layer: the block's index in the state.
void mtp_block(const StepContext& step, const MtpWeights& w, std::size_t layer,
               const float* embedded, float* streams);

}  // namespace ambit::inference
