// Rotary positions: adjacent pairs (2i, 2i+1) of the last `rope_dim` entries of a vector are turned
// by position · f_i (section 2.5). The angle is the fp32 product of position and fp32 frequency, as
// in the released code, so that long positions agree with it. No amplitude factor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ambit::inference::ops {

inline constexpr std::size_t kMaxRopeFrequencies = 512;

struct RopeParams {
  std::size_t rope_dim = 64;
  double base = 10000;
  bool yarn = false;  // layers with a compressor
  double factor = 16;
  double original_length = 65536;
  double beta_fast = 32;
  double beta_slow = 1;
};

// The rope_dim / 2 frequencies f_i.
[[nodiscard]] std::vector<float> rope_frequencies(const RopeParams& params);

// cos and sin of position · f_i: [n_freq] each.
void rope_angles(const std::vector<float>& frequencies, std::int64_t position, float* cos,
                 float* sin);

enum class RopeDirection : std::uint8_t { kForward, kInverse };

// Turns the last rope_dim entries of each of `n` vectors of `dim` floats, `stride` apart, in place.
// cos, sin: [rope_dim / 2], of the one position that all n share (the heads of a token).
void rope_apply(float* x, std::size_t n, std::size_t stride, std::size_t dim, std::size_t rope_dim,
                const float* cos, const float* sin, RopeDirection direction);

}  // namespace ambit::inference::ops
