#include "tests/inference/model/golden_difference.h"

#include <algorithm>
#include <cmath>

#include "tests/inference/model/golden.h"

namespace ambit::inference::golden {

double largest_difference(Model& model) {
  const auto vectors = Safetensors::open(*folder("f32-a") / "vectors.safetensors").value();
  const auto ids = ints(vectors, "S300/ids");
  const auto rows = ints(vectors, "S300/logit_pos");
  const auto want = floats(vectors, "S300/logits");
  KvCache cache(model.pages());
  const StepInput in{.cache = &cache, .ids = ids, .logits_from = 0};
  const auto got = model.forward({&in, 1}).logits;
  double largest = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const std::size_t at = static_cast<std::size_t>(rows[i / 512]) * 512 + i % 512;
    const double off = std::fabs(static_cast<double>(got[at]) - want[i]);
    if (!(off <= largest)) largest = off;  // NaN is far off, too
  }
  return largest;
}

}  // namespace ambit::inference::golden
