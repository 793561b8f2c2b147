#include "inference/device/hot_experts.h"

#include <algorithm>
#include <cmath>

namespace ambit::inference {
namespace {

// A choice counts half after so many tokens: long against the copies, short against an afternoon.
constexpr double kHalfLife = 2048;
// An exchange costs two experts' bytes over the bus, a choice from host memory one.
constexpr float kWorth = 4;

}  // namespace

HotExperts::HotExperts(std::size_t layers, std::size_t experts, std::vector<bool> on_card)
    : layers_(layers),
      experts_(experts),
      on_card_(std::move(on_card)),
      before_(layers * experts),
      heat_(layers * experts) {}

void HotExperts::observe(std::span<const std::uint32_t> totals, std::size_t tokens) {
  const double kept = std::exp2(-static_cast<double>(tokens) / kHalfLife);
  hits_ *= kept;
  all_ *= kept;
  for (std::size_t i = 0; i < heat_.size(); ++i) {
    const std::uint32_t chosen = totals[i] - before_[i];
    before_[i] = totals[i];
    heat_[i] = heat_[i] * static_cast<float>(kept) + static_cast<float>(chosen);
    all_ += chosen;
    if (on_card_[i]) hits_ += chosen;
  }
}

std::vector<HotExperts::Exchange> HotExperts::take(std::size_t most) {
  struct Candidate {
    float gain;
    Exchange exchange;
  };
  std::vector<Candidate> found;
  std::vector<std::size_t> cold;
  std::vector<std::size_t> hot;
  for (std::size_t layer = 0; layer < layers_; ++layer) {
    const std::size_t first = layer * experts_;
    cold.clear();
    hot.clear();
    for (std::size_t e = 0; e < experts_; ++e) (on_card_[first + e] ? cold : hot).push_back(e);
    const std::size_t n = std::min({most, cold.size(), hot.size()});
    const auto by_heat = [&](std::size_t a, std::size_t b) {
      return heat_[first + a] != heat_[first + b] ? heat_[first + a] < heat_[first + b] : a < b;
    };
    const auto end = static_cast<std::ptrdiff_t>(n);
    std::partial_sort(cold.begin(), cold.begin() + end, cold.end(), by_heat);
    std::partial_sort(hot.begin(), hot.begin() + end, hot.end(),
                      [&](std::size_t a, std::size_t b) { return by_heat(b, a); });
    for (std::size_t i = 0; i < n; ++i) {
      const float gain = heat_[first + hot[i]] - heat_[first + cold[i]];
      if (gain <= kWorth) break;
      found.push_back({gain, {layer, hot[i], cold[i]}});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Candidate& a, const Candidate& b) { return a.gain > b.gain; });
  if (found.size() > most) found.resize(most);
  std::vector<Exchange> out;
  for (const Candidate& c : found) {
    on_card_[c.exchange.layer * experts_ + c.exchange.in] = true;
    on_card_[c.exchange.layer * experts_ + c.exchange.out] = false;
    out.push_back(c.exchange);
  }
  return out;
}

double HotExperts::share_on_card() const {
  return all_ == 0 ? 1 : hits_ / all_;
}

}  // namespace ambit::inference
