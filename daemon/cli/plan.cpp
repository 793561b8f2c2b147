// `ambit plan`: what would fit on this machine and how fast, before anything is loaded.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/config.h"
#include "daemon/scheduling/model_spec.h"
#include "inference/device/card.h"
#include "inference/plan.h"
#include "inference/plan_cold.h"
#include "inference/plan_machine.h"
#include "inference/weights/checkpoint.h"

namespace ambit::daemon {

namespace {

using nlohmann::ordered_json;

struct Planned {
  inference::ModelConfig config;
  inference::Footprint sizes;
  std::uint64_t weights_bytes = 0;  // 0: only the configuration is there
};

// A folder with nothing but config.json is enough: one plans before one downloads.
Result<Planned> look_at(const std::filesystem::path& path) {
  Planned out;
  AMBIT_TRY(json, inference::checkpoint_config(path));
  AMBIT_TRY(config, inference::ModelConfig::parse(json));
  out.config = std::move(config);
  out.sizes = inference::footprint(out.config, json);
  if (const auto checkpoint = inference::open_checkpoint(path)) {
    out.weights_bytes = checkpoint->bytes;
  } else if (checkpoint.error().code != Code::kNotFound) {
    return checkpoint.error();
  }
  return out;
}

ordered_json parts_json(const inference::Footprint& s) {
  return {{"attention", s.attention},
          {"compressor", s.compressor},
          {"indexer", s.indexer},
          {"streams", s.streams},
          {"router", s.router},
          {"shared_experts", s.shared_experts},
          {"routed_experts", s.routed_experts},
          {"norms", s.norms},
          {"embedding", s.embedding},
          {"head", s.head},
          {"hash_tables", s.hash_tables},
          {"draft", s.draft}};
}

// The cards to plan for: `count` of a known one by name, or those of this machine; none for "none",
// and for "auto" where there is none, with the reason when a driver is there all the same.
struct Chosen {
  std::vector<inference::Card> cards;
  std::string note;
};
Result<Chosen> choose_cards(const std::string& name, std::size_t count) {
  Chosen out;
  if (name == "none") return out;
  if (name != "auto") {
    std::string known;
    for (const inference::Card& card : inference::known_cards()) {
      if (card.name == name) {
        out.cards.assign(std::max<std::size_t>(count, 1), card);
        return out;
      }
      known += (known.empty() ? "" : ", ") + card.name;
    }
    return make_error(Code::kInvalidArgument,
                      "no card is called '" + name + "'; known are auto, none, " + known);
  }
  const bool driver = !inference::graphics_cards().empty();
  auto measured = inference::measure_cards();
  if (measured) {
    out.cards = std::move(*measured);
  } else if (driver) {
    out.note = "a graphics card is here but not counted: " + measured.error().message;
  }
  if (count > out.cards.size()) {
    return make_error(Code::kInvalidArgument,
                      "this machine has " + std::to_string(out.cards.size()) +
                          " cards that can be used; name a kind with --card to plan for more");
  }
  if (count != 0) out.cards.resize(count);
  return out;
}

// For the machine's own cards, as few as the engine would take.
inference::Plan plan_on_cards(const Planned& planned, std::int64_t tokens,
                              std::vector<inference::Card>& cards, bool fewest,
                              const inference::Machine& machine) {
  const auto on = [&](const std::vector<inference::Card>& some) {
    return inference::make_cards_plan(planned.config, planned.sizes, planned.weights_bytes, tokens,
                                      some, machine);
  };
  for (std::size_t n = 1; fewest && n < cards.size(); ++n) {
    const std::vector<inference::Card> some(cards.begin(),
                                            cards.begin() + static_cast<std::ptrdiff_t>(n));
    auto plan = on(some);
    if (!plan.fits || plan.host_bytes != 0) continue;
    cards = some;
    return plan;
  }
  return on(cards);
}

ordered_json cards_json(const std::vector<inference::Card>& cards, const inference::Plan& plan) {
  auto out = ordered_json::array();
  for (std::size_t c = 0; c < cards.size(); ++c) {
    const inference::Card& card = cards[c];
    ordered_json& entry = out.emplace_back(ordered_json{{"name", card.name},
                                                        {"memory_bytes", card.memory_bytes},
                                                        {"read_gbs", card.read_gbs},
                                                        {"host_gbs", card.host_gbs},
                                                        {"multiply_gops", card.multiply_gops}});
    if (!plan.fits) continue;
    const inference::PlannedCard& p = plan.cards[c];
    entry.update({{"first_layer", p.layers.first},
                  {"last_layer", p.layers.end - 1},
                  {"card_bytes", p.card_bytes},
                  {"host_bytes", p.host_bytes},
                  {"state_bytes", p.state_bytes},
                  {"decode_ms", p.decode_ms}});
  }
  return out;
}

void print_cards(const std::vector<inference::Card>& cards, const inference::Plan& plan) {
  const auto gb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; };
  for (std::size_t c = 0; c < cards.size(); ++c) {
    const inference::Card& card = cards[c];
    std::printf(
        "card     %s, %.3f GB, %.0f GB/s, %.0f GB/s from host memory, %.0f G multiply-adds/s\n",
        card.name.c_str(), gb(card.memory_bytes), card.read_gbs, card.host_gbs, card.multiply_gops);
    if (!plan.fits) continue;
    const inference::PlannedCard& p = plan.cards[c];
    std::printf(
        "         layers %zu to %zu: %.3f GB of weights, %.3f GB of state, %.3f GB of "
        "experts in host memory; %.2f ms of a token\n",
        p.layers.first, p.layers.end - 1, gb(p.card_bytes), gb(p.state_bytes), gb(p.host_bytes),
        p.decode_ms);
  }
}

}  // namespace

int plan_command(const Arguments& arguments) {
  Options options(
      "plan",
      "[--model M] [--context N] [--card C] [--cards N] [--memory GB] [--threads T] [--json]",
      "What would fit on this machine and how fast, before anything is loaded. A "
      "folder with config.json alone will do. Speeds are bounds: only the bytes and "
      "multiplications that a token needs are counted, at the speed that the engine's "
      "own kernels were just measured at, or that a card's data sheet says.");
  auto& model = options.text("--model", "", "M", "instead of the configured model");
  auto& context =
      options.integer("--context", 0, 0, 1 << 20, "tokens; 0: the model's window, at most 131072");
  auto& card_name = options.text("--card", "auto", "C",
                                 "this machine's graphics cards, none, or one that is not here: "
                                 "h100, h200, rtx-pro-6000, rtx-5090, dgx-spark");
  auto& count = options.integer("--cards", 0, 0, 16,
                                "how many of it; 0: one, or those of this machine that the "
                                "engine would take");
  auto& memory = options.integer("--memory", 0, 0, 1 << 20, "GB of host memory; 0: this machine's");
  auto& threads = options.integer("--threads", 0, 0, 4096, "0: one a core");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  auto config = Config::load();
  if (!config) return report(config.error());
  auto spec = resolve_model(model.empty() ? config->text("model") : model);
  if (!spec) return report(spec.error());
  if (spec->kind != ModelSpec::Kind::kLocal) {
    return report(make_error(Code::kUnsupported,
                             "this model runs elsewhere, so there is nothing to plan here; see "
                             "docs/scaling.md for what its server needs"));
  }
  auto planned = look_at(spec->path);
  if (!planned) return report(planned.error());
  std::int64_t tokens = context;
  if (tokens == 0) tokens = std::min<std::int64_t>(planned->config.max_position_embeddings, 131072);
  auto chosen = choose_cards(card_name, static_cast<std::size_t>(count));
  if (!chosen) return report(chosen.error());
  auto& on = chosen->cards;
  auto machine = inference::measure_machine(static_cast<unsigned>(threads));
  if (memory != 0) machine.memory_bytes = static_cast<std::uint64_t>(memory) * 1'000'000'000;
  const auto plan =
      on.empty() ? inference::make_plan(planned->config, planned->sizes, planned->weights_bytes,
                                        tokens, machine)
                 : plan_on_cards(*planned, tokens, on, card_name == "auto" && count == 0, machine);
  const auto cold = on.size() == 1 ? inference::plan_cold_experts(planned->config, planned->sizes,
                                                                  plan, tokens, on[0], machine)
                                   : inference::ColdPlan{};
  const auto packed = inference::packed_state(planned->config, tokens);
  const auto cards = inference::graphics_cards();
  const std::string& note = chosen->note;
  if (as_json) {
    ordered_json out = {
        {"fits", plan.fits},
        {"weights_bytes", plan.weights_bytes},
        {"resident_bytes", plan.resident_bytes},
        {"kv_bytes", plan.kv_bytes},
        {"predicted", {{"prefill_tps", plan.prefill_tps}, {"decode_tps", plan.decode_tps}}},
        {"predicted_cpu_experts", cold.decode_tps > 0
                                      ? ordered_json{{"prefill_tps", cold.prefill_tps},
                                                     {"decode_tps", cold.decode_tps},
                                                     {"pays", cold.pays}}
                                      : ordered_json(nullptr)},
        {"refusal", plan.refusal.empty() ? ordered_json(nullptr) : ordered_json(plan.refusal)},
        {"context", tokens},
        {"bytes_per_token", planned->sizes.read_per_token()},
        {"kv_bytes_per_token_packed", packed.per_token},
        {"active_parameters", planned->sizes.active_parameters},
        {"parts", parts_json(planned->sizes)},
        {"cards", cards_json(on, plan)},
        {"card_bytes", plan.card_bytes},
        {"host_bytes", plan.host_bytes},
        {"machine",
         {{"memory_bytes", machine.memory_bytes},
          {"read_gbs", machine.read_gbs},
          {"fp4_gbs", machine.fp4_gbs},
          {"multiply_gops", machine.multiply_gops},
          {"graphics_cards", cards}}},
        {"note", note}};
    std::puts(out.dump(2).c_str());
    return kExitDone;
  }
  std::printf("weights  %10.3f GB, of which a token reads %.3f GB\n",
              static_cast<double>(plan.weights_bytes) / 1e9,
              static_cast<double>(planned->sizes.read_per_token()) / 1e9);
  std::printf("state    %10.3f GB for %lld tokens\n", static_cast<double>(plan.kv_bytes) / 1e9,
              static_cast<long long>(tokens));
  if (!on.empty()) {
    print_cards(on, plan);
    if (plan.fits) {
      std::printf("weights  %10.3f GB on %s, %.3f GB of experts in host memory of %.3f GB\n",
                  static_cast<double>(plan.card_bytes) / 1e9,
                  on.size() == 1 ? "the card" : "the cards",
                  static_cast<double>(plan.host_bytes) / 1e9,
                  static_cast<double>(machine.memory_bytes) / 1e9);
    }
  } else {
    std::printf("memory   %10.3f GB needed of %.3f GB\n",
                static_cast<double>(plan.resident_bytes) / 1e9,
                static_cast<double>(machine.memory_bytes) / 1e9);
    std::printf("machine  %10.1f GB/s, %.1f G multiply-adds/s in the engine's kernels\n",
                machine.read_gbs, machine.multiply_gops);
  }
  if (plan.fits || on.empty()) {
    std::printf("at most  %10.1f tokens/s decode, %.0f tokens/s prefill\n", plan.decode_tps,
                plan.prefill_tps);
  }
  if (cold.decode_tps > 0) {
    std::printf(
        "         %10.1f tokens/s decode, %.0f tokens/s prefill if the CPU computed the experts "
        "that "
        "do not fit, at its %.0f GB/s: engine.host_experts = \"cpu\" %s (it is \"%s\")\n",
        cold.decode_tps, cold.prefill_tps, machine.fp4_gbs,
        cold.pays ? "is worth trying" : "does not pay here",
        config->text("engine.host_experts").c_str());
  }
  if (!note.empty()) std::printf("note     %s\n", note.c_str());
  if (!plan.fits) std::printf("refused  %s\n", plan.refusal.c_str());
  return kExitDone;
}

}  // namespace ambit::daemon
