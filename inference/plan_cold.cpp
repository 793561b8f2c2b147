#include "inference/plan_cold.h"

#include <algorithm>

namespace ambit::inference {

ColdPlan plan_cold_experts(const ModelConfig& config, const Footprint& sizes, const Plan& plan,
                           std::int64_t context, const Card& card, const Machine& machine) {
  ColdPlan out;
  if (!plan.fits || plan.host_bytes == 0 || sizes.routed_experts == 0) return out;
  const auto layers = static_cast<double>(config.num_hidden_layers);
  const double parameters = 3.0 * static_cast<double>(config.hidden_size) *
                            static_cast<double>(config.moe_intermediate_size);
  // Formats of less than a byte a parameter are unpacked more slowly than memory gives them.
  const bool fp4 = static_cast<double>(sizes.one_expert) < parameters;
  const double host = (fp4 && machine.fp4_gbs > 0 ? machine.fp4_gbs : machine.read_gbs) * 1e9;
  const double own = card.read_gbs * 1e9;
  const double away =
      static_cast<double>(plan.host_bytes) / static_cast<double>(sizes.routed_experts);
  const auto routed = static_cast<double>(sizes.active_routed);
  const double dense = static_cast<double>(sizes.read_per_token()) - routed +
                       packed_state(config, context).read_per_token;
  out.decode_tps = 1 / (dense / own + std::max((1 - away) * routed / own, away * routed / host) +
                        layers * kColdTurnUs * 1e-6);
  // A piece of a prompt meets every expert.
  constexpr double kPiece = 512;
  const double of_experts = layers * static_cast<double>(config.num_experts_per_tok) * parameters;
  const double on_card = card.multiply_gops * 1e9, on_host = machine.multiply_gops * 1e9;
  const double by_host =
      std::max(away * of_experts / on_host, static_cast<double>(plan.host_bytes) / kPiece / host);
  out.prefill_tps = 1 / ((sizes.active_parameters - of_experts) / on_card +
                         std::max((1 - away) * of_experts / on_card, by_host));
  out.pays = out.decode_tps > 1.25 * plan.decode_tps;
  return out;
}

}  // namespace ambit::inference
