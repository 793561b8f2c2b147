// The DSpark drafter (section 8.2): blocks after the backbone that draft several tokens in one
// pass.
//
// Every token that the backbone computes leaves one window row in each of the blocks ("stages"),
// made of taps: the outputs of a few backbone layers, each the mean over its streams, side by side.
// A draft runs the stages over the known next token and as many noise tokens as the block is
// longer. Each of these rows attends to the window of taps' rows before the block and to all rows
// of the block; the block's own rows are dropped afterwards. One product with the vocabulary gives
// logits for all rows, to which a Markov head adds what follows from the token before.
#pragma once

#include <vector>

#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// [rows, taps · D] of a step: fills what comes from backbone layer `layer`, if anything does.
// streams: [rows, n, D], the layer's output.
void tap(const StepContext& step, std::size_t layer, const float* streams, float* taps);

// Writes the window rows of all stages for all rows of the step. first_layer: the first stage's
// index in the state.
void dspark_rows(const StepContext& step, const DsparkWeights& w, std::size_t first_layer,
                 const float* taps);

// step: one mutual segment, the next token and noise; streams: [rows, n, D], their embeddings, used
// up. Appends at most `most` tokens, fewer when the product of the drafter's confidences in them
// falls below `least_confidence`.
void dspark_draft(const StepContext& step, const DsparkWeights& w, std::size_t first_layer,
                  const ops::Matrix& vocabulary, float* streams, std::size_t most,
                  float least_confidence, std::vector<TokenId>& out);

}  // namespace ambit::inference
