#include <algorithm>
#include <cmath>

#include "inference/ops/compress.h"

namespace ambit::inference::ops {

void compress_reference(const CompressArgs& a) {
  for (std::size_t i = 0; i < a.dim; ++i) {
    float largest = -INFINITY;
    for (std::size_t t = 0; t < a.n; ++t) largest = std::max(largest, a.scores[t][i]);
    float sum = 0;
    float weighted = 0;
    for (std::size_t t = 0; t < a.n; ++t) {
      const float e = std::exp(a.scores[t][i] - largest);
      sum += e;
      weighted += e * a.values[t][i];
    }
    a.out[i] = weighted / sum;
  }
}

}  // namespace ambit::inference::ops
