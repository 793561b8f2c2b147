#include "inference/ops/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ambit::inference::ops {
namespace {

// The index (a fraction) of the frequency that turns `rotations` times over the original length.
double correction_dim(const RopeParams& p, double rotations) {
  return static_cast<double>(p.rope_dim) *
         std::log(p.original_length / (rotations * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(p.base));
}

}  // namespace

std::vector<float> rope_frequencies(const RopeParams& p) {
  const std::size_t n = p.rope_dim / 2;
  std::vector<float> f(n);
  const auto dim = static_cast<float>(p.rope_dim);
  for (std::size_t i = 0; i < n; ++i) {
    f[i] = 1.0F / std::pow(static_cast<float>(p.base), static_cast<float>(2 * i) / dim);
  }
  if (!p.yarn) return f;
  const double low = std::max(std::floor(correction_dim(p, p.beta_fast)), 0.0);
  double high =
      std::min(std::ceil(correction_dim(p, p.beta_slow)), static_cast<double>(p.rope_dim) - 1.0);
  if (high == low) high += 0.001;
  for (std::size_t i = 0; i < n; ++i) {
    const auto ramp = std::clamp(
        (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0F,
        1.0F);
    const float keep = 1.0F - ramp;
    f[i] = f[i] / static_cast<float>(p.factor) * (1.0F - keep) + f[i] * keep;
  }
  return f;
}

void rope_angles(const std::vector<float>& frequencies, std::int64_t position, float* cos,
                 float* sin) {
  const auto p = static_cast<float>(position);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const float angle = p * frequencies[i];
    cos[i] = std::cos(angle);
    sin[i] = std::sin(angle);
  }
}

void rope_apply(float* x, std::size_t n, std::size_t stride, std::size_t dim, std::size_t rope_dim,
                const float* cos, const float* sin, RopeDirection direction) {
  const float sign = direction == RopeDirection::kForward ? 1.0F : -1.0F;
  for (std::size_t v = 0; v < n; ++v) {
    float* tail = x + v * stride + (dim - rope_dim);
    for (std::size_t i = 0; i < rope_dim / 2; ++i) {
      const float a = tail[2 * i];
      const float b = tail[2 * i + 1];
      const float s = sign * sin[i];
      tail[2 * i] = a * cos[i] - b * s;
      tail[2 * i + 1] = a * s + b * cos[i];
    }
  }
}

}  // namespace ambit::inference::ops
