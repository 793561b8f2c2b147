// Pooling of a block of tokens to one compressed row (section 2.7): per channel a softmax over the
// candidates' scores weighs their values. The candidates of block c, oldest first:
//   ratio 128 (no overlap): its tokens;
//   ratio 4 (overlap): the tokens of block c-1 with the first half of their channels, then the
//   tokens of block c with the second half; for c = 0 only the latter (the absent ones weigh 0).
// The ape row of a token (its place in its own block) is already added to its score.
#pragma once

#include <cstddef>

namespace ambit::inference::ops {

struct CompressArgs {
  const float* const* values = nullptr;  // [n] pointers to `dim` floats
  const float* const* scores = nullptr;  // [n] likewise
  std::size_t n = 0;                     // at least 1
  std::size_t dim = 0;
  float* out = nullptr;  // [dim]
};

void compress_reference(const CompressArgs& args);
void compress_cpu(const CompressArgs& args);

}  // namespace ambit::inference::ops
