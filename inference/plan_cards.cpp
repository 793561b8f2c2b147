// The plan for graphics cards.
#include <algorithm>
#include <cstdio>

#include "inference/plan.h"

namespace ambit::inference {
namespace {

// Beside weights and state on each card: activations of a step, the driver's own.
constexpr std::uint64_t kOverhead = std::uint64_t{1} << 30;

std::string gigabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

std::string named(const std::vector<Card>& cards) {
  if (cards.size() == 1) return cards[0].name;
  return std::to_string(cards.size()) + " cards (" + cards[0].name + ")";
}

class CardsPlan {
 public:
  CardsPlan(const ModelConfig& config, const Footprint& sizes, std::uint64_t weights_bytes,
            std::int64_t context, const std::vector<Card>& cards, const Machine& machine)
      : c_(config), sizes_(sizes), context_(context), cards_(cards), machine_(machine) {
    plan_.weights_bytes = weights_bytes != 0 ? weights_bytes : sizes.total();
    // A file may hold the dense part in other formats.
    const auto dense = static_cast<double>(sizes.total() - sizes.routed_experts);
    const auto real =
        static_cast<double>(plan_.weights_bytes) - static_cast<double>(sizes.routed_experts);
    scale_ = std::max(real, 0.0) / std::max(dense, 1.0);
    layer_experts_ = std::max<std::uint64_t>(
        sizes.routed_experts / std::max<std::size_t>(c_.num_hidden_layers, 1), 1);
  }

  Plan run() {
    place_all();
    if (!plan_.refusal.empty()) return plan_;
    if (plan_.host_bytes != 0 && plan_.host_bytes + kOverhead > machine_.memory_bytes) {
      plan_.refusal = gigabytes(plan_.host_bytes) + " of experts do not fit on " + named(cards_) +
                      " and must lie in this machine's memory, of which there are " +
                      gigabytes(machine_.memory_bytes) + "; use a smaller model, " + enough() +
                      " or a remote server (docs/scaling.md)";
      return plan_;
    }
    plan_.fits = true;
    speed();
    return plan_;
  }

 private:
  static std::uint64_t bytes(double x) { return static_cast<std::uint64_t>(x); }
  [[nodiscard]] bool last(std::size_t c) const { return c + 1 == cards_.size(); }

  // Without routed experts and state.
  [[nodiscard]] std::uint64_t dense(std::size_t c, LayerRange l) const {
    std::uint64_t sum = 0;
    for (std::size_t i = l.first; i < l.end; ++i) {
      sum += sizes_.layers[i] - std::min(layer_experts_, sizes_.layers[i]);
    }
    // Draft blocks embed tokens, too.
    if (c == 0 || (last(c) && sizes_.draft != 0)) sum += sizes_.embedding;
    if (last(c)) sum += outside_layers();
    return bytes(scale_ * static_cast<double>(sum));
  }
  // The head, what belongs to it, and draft blocks.
  [[nodiscard]] std::uint64_t outside_layers() const {
    std::uint64_t sum = sizes_.total() - sizes_.embedding;
    for (const std::uint64_t layer : sizes_.layers) sum -= layer;
    return sum;
  }
  [[nodiscard]] std::uint64_t state(LayerRange l) const {
    return bytes(packed_state(c_, context_, l).per_token * static_cast<double>(context_));
  }
  [[nodiscard]] std::uint64_t fixed(std::size_t c, LayerRange l) const {
    return dense(c, l) + state(l) + kOverhead;
  }

  void place_all() {
    const StateBytes kv = packed_state(c_, context_);
    const std::size_t n = cards_.size();
    plan_.kv_bytes = bytes(kv.per_token * static_cast<double>(context_));
    plan_.resident_bytes = plan_.weights_bytes + plan_.kv_bytes + n * kOverhead;
    if (n > c_.num_hidden_layers) {
      plan_.refusal = "a card takes one layer at the least, and this model has " +
                      std::to_string(c_.num_hidden_layers);
      return;
    }
    const LayerSplit split =
        split_layers(c_.num_hidden_layers, n, [&](std::size_t c, LayerRange l) {
          return static_cast<double>(fixed(c, l) + l.size() * layer_experts_) /
                 static_cast<double>(cards_[c].memory_bytes + 1);
        });
    for (std::size_t c = 0; c < n && plan_.refusal.empty(); ++c) place(c, split.ranges[c]);
  }

  void place(std::size_t c, LayerRange l) {
    const Card& card = cards_[c];
    PlannedCard& planned = plan_.cards.emplace_back();
    planned.layers = l;
    planned.state_bytes = state(l);
    const std::uint64_t beside = fixed(c, l);
    if (beside > card.memory_bytes) {
      plan_.refusal = std::string(cards_.size() == 1 ? "the card" : "a card") + " needs " +
                      gigabytes(beside) + " without any routed expert (" + gigabytes(dense(c, l)) +
                      " of weights, " + gigabytes(planned.state_bytes) + " of state for " +
                      std::to_string(context_) + " tokens) and " + card.name + " has " +
                      gigabytes(card.memory_bytes) +
                      "; use a smaller model, a shorter context or a remote server "
                      "(docs/scaling.md)";
      return;
    }
    const std::uint64_t here =
        std::min<std::uint64_t>(l.size(), (card.memory_bytes - beside) / layer_experts_);
    planned.host_bytes = (l.size() - here) * layer_experts_;
    planned.card_bytes = dense(c, l) + here * layer_experts_;
    plan_.host_bytes += planned.host_bytes;
    plan_.card_bytes += planned.card_bytes;
    if (planned.host_bytes == 0 || card.host_gbs != 0) return;
    plan_.refusal = gigabytes(planned.host_bytes) + " of experts do not fit into the " +
                    gigabytes(card.memory_bytes) + " of " + card.name +
                    ", which has no other memory; use a smaller model or a remote server "
                    "(docs/scaling.md)";
  }

  // How many cards like the first would hold everything.
  [[nodiscard]] std::string enough() const {
    constexpr std::size_t kMost = 16;
    for (std::size_t n = cards_.size() + 1; n <= std::min(kMost, c_.num_hidden_layers); ++n) {
      const std::vector<Card> more(n, cards_[0]);
      CardsPlan other(c_, sizes_, plan_.weights_bytes, context_, more, machine_);
      other.place_all();
      if (other.plan_.refusal.empty() && other.plan_.host_bytes == 0) {
        return std::to_string(n) + " such cards";
      }
    }
    return "larger cards";
  }

  void speed() {
    const std::size_t n = cards_.size();
    const auto layers = static_cast<double>(c_.num_hidden_layers);
    const auto head = static_cast<double>(sizes_.head);
    const double layer_read = (static_cast<double>(sizes_.read_per_token()) - head) / layers;
    const double experts_read = static_cast<double>(sizes_.active_routed) / layers;
    const double head_work =
        static_cast<double>(c_.vocab_size) * static_cast<double>(c_.hidden_size);
    const double layer_work = (sizes_.active_parameters - head_work) / layers;
    const bool away = plan_.host_bytes != 0;
    const auto rows = static_cast<double>(n > 1 || away ? kLongStepRows : kStepRows);
    const auto pieces = static_cast<double>(
        step_pieces(static_cast<std::size_t>(rows), n, away ? kRowsOfAReadFromHost : kRowsOfARead));
    double token = 1e-6 * kHandOverUs * static_cast<double>(n - 1);  // seconds
    double slowest = 0;
    for (std::size_t c = 0; c < n; ++c) {
      const Card& card = cards_[c];
      PlannedCard& planned = plan_.cards[c];
      const auto own = static_cast<double>(planned.layers.size());
      const double from_host = static_cast<double>(planned.host_bytes) /
                               static_cast<double>(layer_experts_) * experts_read;
      const double from_card = own * layer_read - from_host + (last(c) ? head : 0.0) +
                               packed_state(c_, context_, planned.layers).read_per_token;
      const bool host = planned.host_bytes != 0;
      const double bus = card.host_gbs * 1e9;
      const double decode = from_card / (card.read_gbs * 1e9) + (host ? from_host / bus : 0.0);
      planned.decode_ms = 1e3 * decode;
      token += decode;
      // A piece of a prompt meets every expert.
      const double read =
          (own * layer_work + (last(c) ? head_work : 0.0)) / (card.multiply_gops * 1e9) +
          (host ? static_cast<double>(planned.host_bytes) / (rows / pieces) / bus : 0.0);
      slowest = std::max(slowest, read);
    }
    plan_.decode_tps = 1 / token;
    plan_.prefill_tps = 1 / (slowest * (pieces + static_cast<double>(n - 1)) / pieces);
  }

  const ModelConfig& c_;
  const Footprint& sizes_;
  std::int64_t context_;
  const std::vector<Card>& cards_;
  const Machine& machine_;
  double scale_ = 1;
  std::uint64_t layer_experts_ = 1;
  Plan plan_;
};

}  // namespace

Plan make_cards_plan(const ModelConfig& config, const Footprint& sizes, std::uint64_t weights_bytes,
                     std::int64_t context, const std::vector<Card>& cards, const Machine& machine) {
  return CardsPlan(config, sizes, weights_bytes, context, cards, machine).run();
}

}  // namespace ambit::inference
