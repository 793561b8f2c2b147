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

// The formula, all rows at once.
void sparse_attention_reference(const SparseAttentionArgs& args);

// The same in parts, which threads may take in any order; cut at multiples of attention_part_rows
// of the token's list, and folded in the list's order, so that the bits are those of the list. Of a
// part: the largest a_i, Σ e^{a_i - largest}, Σ e^{a_i - largest} k_i. It is computed in pieces of
// kAttentionRows rows, ascending.
inline constexpr std::size_t kAttentionRows = 64;

// Of a list of n rows: every part is to be folded, which for long lists would be work of its own,
// and short ones are to be shared by many threads.
[[nodiscard]] constexpr std::size_t attention_part_rows(std::size_t n) {
  return n > 32 * kAttentionRows ? 4 * kAttentionRows : kAttentionRows;
}

struct AttentionPiece {
  const float* q = nullptr;  // [heads, dim]
  std::size_t heads = 0;
  std::size_t dim = 0;
  const float* const* rows = nullptr;  // [n_rows] pointers to `dim` floats
  std::size_t n_rows = 0;              // 1 … kAttentionRows
  float scale = 1;
  bool first = true;         // of the part; otherwise what follows holds what the part has come to
  float* out = nullptr;      // [heads, dim]
  float* largest = nullptr;  // [heads]
  float* sum = nullptr;      // [heads]
};
void attention_piece_reference(const AttentionPiece& args);
void attention_piece_cpu(const AttentionPiece& args);

// out ← out · old + part · more
void add_weighted(float* out, float old, const float* part, float more, std::size_t dim);

// What the parts so far come to, of one head. Starts with the sink alone: zeros in out.
struct AttentionFold {
  float* out = nullptr;  // [dim]
  std::size_t dim = 0;
  float largest = 0;  // the sink
  float sum = 1;
  void add(const float* part, float part_largest, float part_sum);
  void finish() const;  // out becomes o_h
};

}  // namespace ambit::inference::ops
