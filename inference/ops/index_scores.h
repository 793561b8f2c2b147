// The lightning indexer's scores (section 2.8): score(c) = Σ_h w_h · relu(q_h · k_c), the heads
// summed in ascending order. w already carries index_head_dim^-½ · heads^-½.
#pragma once

#include <cstddef>

namespace ambit::inference::ops {

struct IndexScoresArgs {
  const float* q = nullptr;        // [heads, dim]
  const float* weights = nullptr;  // [heads]
  std::size_t heads = 0;
  std::size_t dim = 0;
  const float* keys = nullptr;  // [rows, dim], contiguous
  std::size_t rows = 0;
  float* out = nullptr;  // [rows]
};

void index_scores_reference(const IndexScoresArgs& args);
void index_scores_cpu(const IndexScoresArgs& args);

}  // namespace ambit::inference::ops
