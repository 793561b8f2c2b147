#include "inference/remote/retry.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace ambit::inference::remote {

namespace {
constexpr std::chrono::milliseconds kMaxWait = std::chrono::hours(24);
}

bool worth_retrying(int status) {
  switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
    case 529:
      return true;
    default:
      return false;
  }
}

std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view value, std::chrono::system_clock::time_point now) {
  if (value.empty() || value.size() > 64) return std::nullopt;
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (error != std::errc{}) return kMaxWait;  // more digits than a number holds
    return std::min<std::chrono::milliseconds>(
        std::chrono::seconds(std::min<std::int64_t>(seconds, 86400)), kMaxWait);
  }
  tm parts{};
  const std::string text(value);
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const auto when = std::chrono::system_clock::from_time_t(::timegm(&parts));
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(when - now);
  return std::clamp(wait, std::chrono::milliseconds(0), kMaxWait);
}

std::chrono::milliseconds Backoff::next() {
  const std::int64_t top =
      std::min<std::int64_t>(longest_.count(), first_.count() << std::min(turn_++, 20));
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(0, std::max<std::int64_t>(top, 1))(random_));
}

}  // namespace ambit::inference::remote
