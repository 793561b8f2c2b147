#include "daemon/support/words.h"

#include <array>
#include <cstdio>

namespace ambit::daemon {

std::string grouped(std::uint64_t number) {
  auto out = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > 0; at -= 3) {
    out.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return out;
}

std::string counted(std::uint64_t number, std::string_view thing) {
  return grouped(number) + " " + std::string(thing) + (number == 1 ? "" : "s");
}

std::string sized(std::uint64_t bytes) {
  if (bytes < 1000) return counted(bytes, "byte");
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  constexpr std::array kUnits{"KB", "MB", "GB", "TB"};
  for (value /= 1000; value >= 999.5 && unit + 1 < kUnits.size(); value /= 1000) ++unit;
  char text[32];
  std::snprintf(text, sizeof text, value < 9.95 ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
  return text;
}

std::string lasted(double seconds) {
  char text[48];
  if (seconds < 9.995) {
    std::snprintf(text, sizeof text, "%.2f s", seconds);
    return text;
  }
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 120) return std::to_string(whole) + " s";
  const auto minutes = whole / 60, hours = minutes / 60, days = hours / 24;
  if (hours == 0) return std::to_string(minutes) + " min";
  const auto two = [](std::uint64_t a, const char* of_a, std::uint64_t b, const char* of_b) {
    auto out = std::to_string(a) + " " + of_a;
    if (b != 0) out += " " + std::to_string(b) + " " + of_b;
    return out;
  };
  return days == 0 ? two(hours, "h", minutes % 60, "min") : two(days, "d", hours % 24, "h");
}

}  // namespace ambit::daemon
