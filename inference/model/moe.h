// Mixture of experts (section 2.11): router, routed experts batched by routing, shared expert.
#pragma once

#include "inference/model/linear.h"
#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// x: [rows, D], normed. out: [rows, D]. Hash-routed layers read step.ids.
void moe(const StepContext& step, const MoeWeights& w, std::size_t layer, const float* x,
         float* out);

// out [n, D] = w2 · swiglu(w1 · x, w3 · x) of one expert; weights: per row, or null for 1.
void run_expert(const StepContext& step, const ExpertWeights& w, LinearInput in,
                const float* weights, float* out);

}  // namespace ambit::inference
