// For mistakes.py: whether this program's ops give the golden logits. Exits with 0 when they do, 1
// when they do not, 77 when the golden data is not here.
#include <cstdio>

#include "tests/inference/model/golden.h"
#include "tests/inference/model/golden_difference.h"

int main() {
  using namespace ambit::inference;
  const auto folder = golden::folder("f32-a");
  if (!folder) return 77;
  auto model = Model::open(
      *folder, {.numerics = Numerics::kPlain, .reference_ops = true, .threads = 1, .mtp = false});
  if (!model) return 77;
  const double off = golden::largest_difference(**model);
  std::printf("%.2g\n", off);
  return off <= golden::kTolerance ? 0 : 1;
}
