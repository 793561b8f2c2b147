// Attention of one token over a list of rows (section 2.9). One row is key and value of every head:
//   a_i = (q_h · k_i) · scale,  o_h = Σ_i e^{a_i} k_i / (Σ_i e^{a_i} + e^{sink_h})
// with the maximum of all a_i and the sink subtracted. The rows come as pointers (window rows, then
// the selected compressed rows, each ascending): gathered, never masked, so the arithmetic of a
// token depends on its rows alone.
#pragma once

#include <cstddef>

namespace ambit::inference::ops {

struct SparseAttentionArgs {
  const float* q = nullptr;  // [heads, dim], head_stride = dim
  std::size_t heads = 0;     // of this call: a caller may split the heads over threads
  std::size_t dim = 0;
  const float* const* rows = nullptr;  // [n_rows] pointers to `dim` floats
  std::size_t n_rows = 0;
  const float* sink = nullptr;  // [heads]
  float scale = 1;              // head_dim^-½
  float* out = nullptr;         // [heads, dim]
  float* scratch = nullptr;     // [heads, n_rows]
};

void sparse_attention_reference(const SparseAttentionArgs& args);
void sparse_attention_cpu(const SparseAttentionArgs& args);

}  // namespace ambit::inference::ops
