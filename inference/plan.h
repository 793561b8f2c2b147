// What a checkpoint needs and how fast it can be, from its configuration alone: sizes follow from
// the shapes (design notes, sections 3 and 4), speed from the bytes that a token must read and the
// multiplications that it costs. Pure arithmetic; the machine is measured in plan_machine.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "inference/layer_split.h"
#include "inference/model_config.h"

namespace ambit::inference {

// Stored bytes by part, in the number formats that the configuration names: FP8 with a scale per
// 128 × 128 for linear layers, FP4 with a scale per 32 (or FP8) for routed experts, BF16 and F32
// for the rest; everything BF16 when the configuration has no quantisation.
struct Footprint {
  std::uint64_t attention = 0, compressor = 0, indexer = 0, streams = 0, router = 0;
  std::uint64_t shared_experts = 0, routed_experts = 0, norms = 0;  // of the backbone
  std::uint64_t embedding = 0, head = 0, hash_tables = 0;
  std::uint64_t draft = 0;  // blocks after the backbone, their experts included
  std::uint64_t one_expert = 0;
  std::vector<std::uint64_t> layers{};  // of the backbone, each with its experts and tables
  std::uint64_t active_routed = 0;      // routed experts that one token reads, all layers
  double active_parameters = 0;         // multiplied for one token, head included

  [[nodiscard]] std::uint64_t total() const {
    return attention + compressor + indexer + streams + router + shared_experts + routed_experts +
           norms + embedding + head + hash_tables + draft;
  }
  // Read for one token without drafting, state apart: of the embedding one row, of the tables one
  // entry.
  [[nodiscard]] std::uint64_t read_per_token() const {
    return attention + compressor + indexer + streams + router + shared_experts + active_routed +
           norms + head;
  }
};

struct StateBytes {
  double per_token = 0;       // growth with the context
  double read_per_token = 0;  // for one token at this context
};

// config_json: the official config.json, from which `config` was parsed (it names the formats).
[[nodiscard]] Footprint footprint(const ModelConfig& config, std::string_view config_json);

// The state as the engine holds it and as it lies on disk: an attention row has FP8 values,
// BF16 for the rotated ones, and scales; an index key FP4 (584 and 68 bytes in the released
// models).
[[nodiscard]] StateBytes packed_state(const ModelConfig& config, std::int64_t context);
// Of these layers alone.
[[nodiscard]] StateBytes packed_state(const ModelConfig& config, std::int64_t context,
                                      LayerRange layers);

// Memory for warm prefixes when nobody set it: half a million tokens, or what the model's window
// holds, at least 1 GiB and at most a quarter of `memory_bytes`.
[[nodiscard]] std::uint64_t default_state_bytes(const ModelConfig& config,
                                                std::uint64_t memory_bytes);

struct Machine {
  std::uint64_t memory_bytes = 0;  // that this process may use
  double read_gbs = 0;             // GB/s at which the engine streams weights, all threads
  double multiply_gops = 0;        // 1e9 multiply-adds a second of the engine in prefill
  double fp4_gbs = 0;              // as read_gbs, of FP4 weights; 0: not measured
};

// A graphics card: what it was measured at here, or what its vendor says.
struct Card {
  std::string name;
  std::uint64_t memory_bytes = 0;  // that the engine may use
  double read_gbs = 0;             // of its own memory
  double host_gbs = 0;             // of host memory, over PCIe
  double multiply_gops = 0;        // BF16 products
};

// Cards of the vendor's data sheets, to plan with one that is not here: dense BF16 rates with fp32
// sums, and for PCIe 5 x16 the 63 GB/s that its coding leaves. A DGX Spark has one memory:
// host_gbs is 0.
[[nodiscard]] const std::vector<Card>& known_cards();

// One card's share.
struct PlannedCard {
  LayerRange layers;
  std::uint64_t card_bytes = 0, host_bytes = 0;  // weights on it, experts in host memory
  std::uint64_t state_bytes = 0;
  double decode_ms = 0;  // of a token
};

struct Plan {
  bool fits = false;
  std::uint64_t weights_bytes = 0, kv_bytes = 0, resident_bytes = 0;
  double decode_tps = 0, prefill_tps = 0;  // bounds: nothing but weights and state is counted
  std::string refusal;                     // one sentence when it does not fit
  // With cards: weights that lie on them, and routed experts that lie in host memory.
  std::uint64_t card_bytes = 0, host_bytes = 0;
  std::vector<PlannedCard> cards{};
};

// On the CPU. weights_bytes 0: what the footprint says.
[[nodiscard]] Plan make_plan(const ModelConfig& config, const Footprint& sizes,
                             std::uint64_t weights_bytes, std::int64_t context,
                             const Machine& machine);

// On cards, as device/layout.h does it: layers split over all of them, each card with its layers'
// state and all weights but routed experts, then the experts of as many layers as fit, the others
// in the machine's memory. Decode goes through the cards one after another, kHandOverUs between
// two; prefill through all at once, in pieces (step_pieces()).
inline constexpr double kHandOverUs = 10;  // event, copy of some 100 KB, event: assumed
[[nodiscard]] Plan make_cards_plan(const ModelConfig& config, const Footprint& sizes,
                                   std::uint64_t weights_bytes, std::int64_t context,
                                   const std::vector<Card>& cards, const Machine& machine);

}  // namespace ambit::inference
