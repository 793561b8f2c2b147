#include "inference/device/layout.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "inference/device/device_step.h"
#include "inference/plan.h"

namespace ambit::inference {
namespace {

using Cards = std::vector<ops::cuda::DeviceInfo>;

// Rows of a step, at most, where the CPU computes experts: it gains nothing from more.
constexpr std::size_t kRowsWithCpu = 512;

std::string generation(const ops::cuda::DeviceInfo& i) {
  return std::to_string(i.major) + "." + std::to_string(i.minor);
}

Result<Cards> named(const Cards& found, const std::vector<int>& numbers) {
  Cards out;
  for (const int n : numbers) {
    const auto at =
        std::find_if(found.begin(), found.end(), [n](const auto& i) { return i.card == n; });
    if (at == found.end()) {
      std::string known;
      for (const auto& i : found) {
        known += (known.empty() ? "" : ", ") + std::to_string(i.card) + " (" + i.name + ")";
      }
      return make_error(Code::kInvalidArgument, "engine.cards names card " + std::to_string(n) +
                                                    ", which is not there; there are " + known);
    }
    if (std::count(numbers.begin(), numbers.end(), n) > 1) {
      return make_error(Code::kInvalidArgument,
                        "engine.cards names card " + std::to_string(n) + " twice");
    }
    out.push_back(*at);
    if (generation(*at) != generation(out[0])) {
      return make_error(Code::kInvalidArgument,
                        "engine.cards names cards of compute capability " + generation(out[0]) +
                            " and " + generation(*at) +
                            ", whose results differ in the last bits; name cards of one kind");
    }
  }
  return out;
}

// Those of the kind of the largest, the largest first.
Cards of_one_kind(Cards found) {
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.free_bytes > b.free_bytes; });
  const std::string kind = generation(found[0]);
  std::erase_if(found, [&](const auto& i) { return generation(i) != kind; });
  return found;
}

// The share of a page's state that layers first … end - 1 hold, of the part where it is largest.
double state_share(const PageCuts& of_layers, LayerRange range) {
  double most = 0;
  const auto& all = of_layers.back();
  for (std::size_t p = 0; p < kStateParts; ++p) {
    if (all[p] == 0) continue;
    const std::size_t bytes = of_layers[range.end][p] - of_layers[range.first][p];
    most = std::max(most, static_cast<double>(bytes) / static_cast<double>(all[p]));
  }
  return most;
}

struct Sizes {
  const ModelConfig& config;
  const WeightSizes& weights;
  const StateShape& shape;
  const DeviceOptions& options;
};

// On all of these cards; away: with experts in host memory.
DeviceLayout on_cards(const Cards& cards, const Sizes& s, bool away) {
  DeviceLayout out;
  const std::size_t n = cards.size();
  const std::size_t layers = s.weights.layers.size();
  std::uint64_t free = 0, least = ~std::uint64_t{0};
  for (const auto& card : cards) {
    free += card.free_bytes;
    least = std::min(least, card.free_bytes);
    out.cards.push_back({.info = card});
  }
  // Warm prefixes, and as much for the sequences that are being computed.
  const std::uint64_t wanted =
      s.options.state_bytes != 0 ? s.options.state_bytes : 2 * default_state_bytes(s.config, free);
  out.state_bytes = std::min(wanted, free / 4);
  // Long pieces are worth their scratch where experts come from the host once a piece.
  out.rows_of_a_read = s.options.rows_of_a_read;
  if (out.rows_of_a_read == 0) {
    out.rows_of_a_read = away ? kRowsOfAReadFromHost : kRowsOfARead;
  }
  out.cpu_experts = s.options.cpu_experts && n == 1;
  out.most_rows = n > 1 || away ? kLongStepRows : kStepRows;
  if (away && out.cpu_experts) out.most_rows = kRowsWithCpu;
  const auto step_bytes = [&] {
    const std::size_t pieces = out.pieces(out.most_rows);
    const std::size_t rows = (out.most_rows + pieces - 1) / pieces;
    // Two pieces' streams lie on a card at once.
    const std::uint64_t second = pieces == 1 ? 0 : rows * stream_floats(s.config) * sizeof(float);
    return step_scratch_bytes(s.config, rows) + second;
  };
  const std::uint64_t room = least - std::min(least, out.state_bytes / n);
  while (out.most_rows > 128 && step_bytes() > room / 3) out.most_rows /= 2;

  std::vector<std::size_t> each(layers);
  std::iota(each.begin(), each.end(), std::size_t{0});
  PageCuts of_layers = page_cuts(s.shape, each);  // the draft blocks' state is the last layer's
  const auto weights_of = [&](std::size_t c, LayerRange range) {
    std::uint64_t sum = (c == 0 ? s.weights.first : 0) + (c + 1 == n ? s.weights.last : 0);
    if (c + 1 == n && c != 0) sum += s.weights.last_alone;
    for (std::size_t l = range.first; l < range.end; ++l) sum += s.weights.layers[l];
    return sum;
  };
  const auto beside = [&](LayerRange range) {
    return step_bytes() + static_cast<std::uint64_t>(state_share(of_layers, range) *
                                                     static_cast<double>(out.state_bytes));
  };
  const LayerSplit split = split_layers(layers, n, [&](std::size_t c, LayerRange range) {
    const std::uint64_t weights = weights_of(c, range);
    const auto all = static_cast<double>(weights + beside(range));
    const double given =
        s.options.weights_bytes == 0
            ? 0
            : static_cast<double>(weights) / static_cast<double>(s.options.weights_bytes);
    return std::max(given, all / static_cast<double>(cards[c].free_bytes + 1));
  });
  out.fits = split.fullest <= 1;
  std::vector<std::size_t> firsts;
  for (std::size_t c = 0; c < n; ++c) {
    CardLayout& card = out.cards[c];
    card.share = {split.ranges[c], c == 0, c + 1 == n};
    firsts.push_back(split.ranges[c].first);
    const std::uint64_t free_bytes = card.info.free_bytes;
    card.weights_bytes = free_bytes - std::min(free_bytes, beside(split.ranges[c]));
    if (s.options.weights_bytes != 0) {
      card.weights_bytes = std::min(card.weights_bytes, s.options.weights_bytes);
    }
  }
  out.cuts = page_cuts(s.shape, firsts);
  return out;
}

}  // namespace

Result<DeviceLayout> lay_out(const Cards& found, const ModelConfig& config,
                             const WeightSizes& sizes, const StateShape& shape,
                             const DeviceOptions& options) {
  const Sizes s{config, sizes, shape, options};
  AMBIT_TRY(cards, options.cards.empty() ? of_one_kind(found) : named(found, options.cards));
  const std::size_t most = std::min(kMostCards, sizes.layers.size());
  if (cards.size() > most && !options.cards.empty()) {
    return make_error(Code::kInvalidArgument, "engine.cards names " + std::to_string(cards.size()) +
                                                  " cards, and this model takes at most " +
                                                  std::to_string(most));
  }
  if (cards.size() > most) cards.resize(most);
  for (std::size_t n = options.cards.empty() ? 1 : cards.size(); n <= cards.size(); ++n) {
    Cards some(cards.begin(), cards.begin() + static_cast<std::ptrdiff_t>(n));
    if (options.cards.empty()) {
      std::sort(some.begin(), some.end(),
                [](const auto& a, const auto& b) { return a.card < b.card; });
    }
    DeviceLayout layout = on_cards(some, s, false);
    if (layout.fits) return layout;
    if (n < cards.size()) continue;
    if (!options.cpu_experts || n == 1) return on_cards(some, s, true);
    if (options.cards.empty()) return on_cards({cards[0]}, s, true);
    return make_error(Code::kInvalidArgument,
                      "engine.host_experts = \"cpu\" works with one card; name one in "
                      "engine.cards, or set engine.host_experts = \"card\"");
  }
  return make_error(Code::kInternal, "no card to lay a model out on");
}

}  // namespace ambit::inference
