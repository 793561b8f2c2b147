// When typing becomes a request: a pause in proportion to how long the last answers took, so that
// fast machines feel instant and slow ones keep up. One strand.
#pragma once

#include <algorithm>
#include <chrono>

namespace ambit::daemon {

class Debounce {
 public:
  // A request took this long from prompt to item (or until it was given up).
  void answered(double ms) { average_ms_ = average_ms_ * 0.7 + ms * 0.3; }
  // A quarter of the average answer, within the bounds.
  [[nodiscard]] std::chrono::milliseconds delay(std::int64_t least_ms, std::int64_t most_ms) const {
    const auto wanted = static_cast<std::int64_t>(average_ms_ / 4);
    return std::chrono::milliseconds(std::clamp(wanted, least_ms, std::max(least_ms, most_ms)));
  }

 private:
  double average_ms_ = 40;
};

}  // namespace ambit::daemon
