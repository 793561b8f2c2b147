// How far a model is from the golden logits of f32-a, 300 tokens.
#pragma once

#include "inference/model/model.h"

namespace ambit::inference::golden {

inline constexpr double kTolerance = 1e-3;  // of its README

// The largest difference over the positions that have logits. The checkpoint must be there.
double largest_difference(Model& model);

}  // namespace ambit::inference::golden
