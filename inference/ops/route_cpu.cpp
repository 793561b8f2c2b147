#include "inference/ops/route.h"

#include <cmath>

namespace ambit::inference::ops {
namespace {

// log(1 + e^x) without overflow; for x > 20 it is x to fp32 precision.
float softplus(float x) {
  return x > 20.0F ? x : std::log1p(std::exp(x));
}

}  // namespace

void route(const RouteArgs& a) {
  float* s = a.scratch;
  for (std::size_t e = 0; e < a.experts; ++e) s[e] = std::sqrt(softplus(a.logits[e]));
  if (a.fixed != nullptr) {
    for (std::size_t i = 0; i < a.k; ++i) a.ids[i] = a.fixed[i];
  } else {
    // k is small: insertion into a sorted list of the best so far.
    std::size_t n = 0;
    const auto biased = [&](std::int32_t e) { return a.bias == nullptr ? s[e] : s[e] + a.bias[e]; };
    for (std::size_t e = 0; e < a.experts; ++e) {
      const float b = biased(static_cast<std::int32_t>(e));
      std::size_t at = n;
      while (at > 0 && biased(a.ids[at - 1]) < b) --at;
      if (at >= a.k) continue;
      if (n < a.k) ++n;
      for (std::size_t j = n - 1; j > at; --j) a.ids[j] = a.ids[j - 1];
      a.ids[at] = static_cast<std::int32_t>(e);
    }
    // Ascending, so that experts add up in one order for every token.
    for (std::size_t i = 1; i < a.k; ++i) {
      const std::int32_t e = a.ids[i];
      std::size_t j = i;
      for (; j > 0 && a.ids[j - 1] > e; --j) a.ids[j] = a.ids[j - 1];
      a.ids[j] = e;
    }
  }
  float sum = 0;
  for (std::size_t i = 0; i < a.k; ++i) sum += s[a.ids[i]];
  for (std::size_t i = 0; i < a.k; ++i) a.weights[i] = s[a.ids[i]] / sum * a.route_scale;
}

}  // namespace ambit::inference::ops
