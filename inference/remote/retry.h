// When to ask a busy or broken server again.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string_view>

namespace ambit::inference::remote {

// 408, 425, 429, 500, 502, 503, 504, 529: the same request may succeed later.
[[nodiscard]] bool worth_retrying(int status);

// The Retry-After header: whole seconds, or a date (RFC 9110, 10.2.3) compared with `now`. nullopt
// when it is neither; at most a day.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view value, std::chrono::system_clock::time_point now);

// Full jitter: the n-th pause is drawn evenly from (0, min(longest, first * 2^n)), so that clients
// refused together do not come back together.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest, std::uint64_t seed)
      : first_(first), longest_(longest), random_(seed) {}
  [[nodiscard]] std::chrono::milliseconds next();

 private:
  const std::chrono::milliseconds first_, longest_;
  int turn_ = 0;
  std::mt19937_64 random_;
};

}  // namespace ambit::inference::remote
