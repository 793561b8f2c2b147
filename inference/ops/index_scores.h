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
  // [dim, stride]: transposed, so that a vector holds one dimension of many rows and nothing is
  // summed across it. All `stride` columns are readable; those from `rows` on are not used.
  const float* keys = nullptr;
  std::size_t stride = 0;
  std::size_t rows = 0;
  float* out = nullptr;  // [rows]
};

void index_scores_reference(const IndexScoresArgs& args);
void index_scores_cpu(const IndexScoresArgs& args);

}  // namespace ambit::inference::ops
