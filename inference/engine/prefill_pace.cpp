#include "inference/engine/prefill_pace.h"

#include <algorithm>

namespace ambit::inference {

void PrefillPace::note(std::size_t tokens, double ms) {
  if (!warm_) {
    warm_ = true;
    return;
  }
  constexpr double kFade = 0.85;
  const auto x = static_cast<double>(tokens);
  for (double* sum : {&n_, &x_, &xx_, &y_, &xy_}) *sum *= kFade;
  n_ += 1;
  x_ += x;
  xx_ += x * x;
  y_ += ms;
  xy_ += x * ms;
}

std::size_t PrefillPace::next(double wait_ms, double most_ms, std::size_t most) const {
  if (n_ == 0) return std::min(kFirst, most);
  // Least squares; steps of one size do not tell the two costs apart: then all is by the token.
  const double spread = n_ * xx_ - x_ * x_;
  double each = y_ / std::max(x_, 1.0), fixed = 0;
  if (spread > 1e-3 * n_ * xx_) {
    const double slope = (n_ * xy_ - x_ * y_) / spread;
    // Never steeper than the average, nor flat: noise would ask for anything.
    each = std::clamp(slope, 0.02 * each, each);
    fixed = std::max((y_ - each * x_) / n_, 0.0);
  }
  each = std::max(each, 1e-6);
  const double prompt = (wait_ms - fixed) / each;
  const double worth = std::min(fixed, most_ms - fixed) / each;
  const double tokens = std::clamp(std::max(prompt, worth), 0.0, static_cast<double>(most));
  return std::min(std::max(static_cast<std::size_t>(tokens), kFewest), most);
}

}  // namespace ambit::inference
