#include <algorithm>

#include "inference/ops/index_scores.h"

namespace ambit::inference::ops {

void index_scores_reference(const IndexScoresArgs& a) {
  for (std::size_t r = 0; r < a.rows; ++r) {
    float score = 0;
    for (std::size_t h = 0; h < a.heads; ++h) {
      float dot = 0;
      for (std::size_t i = 0; i < a.dim; ++i) dot += a.q[h * a.dim + i] * a.keys[i * a.stride + r];
      score += a.weights[h] * std::max(dot, 0.0F);
    }
    a.out[r] = score;
  }
}

}  // namespace ambit::inference::ops
