#include "inference/plan.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace ambit::inference {

namespace {

// Beside weights and state: activations of a prefill piece, tokenizer, program.
constexpr std::uint64_t kOverhead = std::uint64_t{1} << 30;

enum class Format { kBf16, kFp8, kFp4 };

std::uint64_t matrix(Format format, std::uint64_t rows, std::uint64_t cols) {
  switch (format) {
    case Format::kFp8:
      return rows * cols + ((rows + 127) / 128) * ((cols + 127) / 128);
    case Format::kFp4:
      return rows * (cols / 2) + rows * (cols / 32);
    case Format::kBf16:
      break;
  }
  return rows * cols * 2;
}

struct Formats {
  Format linear = Format::kBf16, expert = Format::kBf16;
};

Formats formats_of(std::string_view config_json) {
  Formats out;
  const auto json = nlohmann::json::parse(config_json, nullptr, false);
  if (!json.is_object()) return out;
  const auto quantised = json.find("quantization_config");
  if (quantised == json.end() || !quantised->is_object()) return out;
  out.linear = Format::kFp8;
  // The first release's config.json does not name the experts' format, which is FP4; the base
  // models name FP8.
  out.expert = Format::kFp4;
  const auto expert = json.find("expert_dtype");
  if (expert != json.end() && expert->is_string() && *expert == "fp8") out.expert = Format::kFp8;
  return out;
}

class Sizes {
 public:
  Sizes(const ModelConfig& config, Formats formats) : c_(config), f_(formats) {}

  Footprint run() {
    for (std::size_t layer = 0; layer < c_.num_hidden_layers; ++layer) {
      const std::uint64_t before = out_.total();
      block(c_.ratio(layer), c_.hash_routed(layer), out_);
      out_.layers.push_back(out_.total() - before);
    }
    out_.one_expert = expert(f_.expert);
    out_.active_routed = c_.num_hidden_layers * c_.num_experts_per_tok * out_.one_expert;
    out_.embedding = matrix(Format::kBf16, c_.vocab_size, c_.hidden_size);
    out_.head = out_.embedding;
    out_.norms += 2 * c_.hidden_size;
    out_.streams += head_streams();
    const double linear_layers =
        parameters_ + 3.0 * static_cast<double>(c_.num_hidden_layers) *
                          static_cast<double>(c_.num_experts_per_tok + c_.n_shared_experts) *
                          static_cast<double>(c_.hidden_size * c_.moe_intermediate_size);
    out_.active_parameters =
        linear_layers + static_cast<double>(c_.vocab_size) * static_cast<double>(c_.hidden_size);
    for (std::size_t i = 0; i < c_.draft_blocks(); ++i) {
      Footprint draft;
      block(0, false, draft);
      out_.draft += draft.total();
    }
    if (c_.dspark_block_size != 0) {
      out_.draft += dspark();
    } else if (c_.draft_blocks() == 1) {
      // The first release's one draft block carries its own projections, norms and stream head.
      out_.draft += 2 * matrix(f_.linear, c_.hidden_size, c_.hidden_size) + 6 * c_.hidden_size +
                    head_streams();
    }
    return out_;
  }

 private:
  std::uint64_t expert(Format format) const {
    return 2 * matrix(format, c_.moe_intermediate_size, c_.hidden_size) +
           matrix(format, c_.hidden_size, c_.moe_intermediate_size);
  }
  std::uint64_t head_streams() const {
    const std::uint64_t n = c_.hc_mult;
    return (n * n * c_.hidden_size + n + 1) * 4;
  }
  // Beside the blocks of DSpark: the taps' projection, two norms, the stream head, the Markov and
  // the confidence head.
  std::uint64_t dspark() const {
    const std::uint64_t d = c_.hidden_size, rank = c_.dspark_markov_rank;
    return matrix(f_.linear, d, c_.dspark_target_layer_ids.size() * d) + 2 * 2 * d +
           head_streams() + 2 * matrix(Format::kBf16, c_.vocab_size, rank) +
           matrix(Format::kBf16, 1, d + rank);
  }
  // Values and gates of a compressor that pools `ratio` tokens into rows of `width`.
  std::uint64_t compressor(std::uint64_t ratio, std::uint64_t width) {
    const std::uint64_t raw = (ratio == 4 ? 2 : 1) * width;
    parameters_ += 2.0 * static_cast<double>(raw * c_.hidden_size);
    return ratio * raw * 4 + 2 * matrix(Format::kBf16, raw, c_.hidden_size) + 2 * width;
  }
  std::uint64_t linear(std::uint64_t rows, std::uint64_t cols) {
    parameters_ += static_cast<double>(rows) * static_cast<double>(cols);
    return matrix(f_.linear, rows, cols);
  }

  void block(std::int32_t ratio, bool hashed, Footprint& out) {
    const std::uint64_t d = c_.hidden_size, heads = c_.num_attention_heads, width = c_.head_dim;
    const std::uint64_t low = c_.q_lora_rank, out_low = c_.o_groups * c_.o_lora_rank;
    out.norms += 2 * 2 * d;
    const std::uint64_t mixes = (2 + c_.hc_mult) * c_.hc_mult;
    out.streams += 2 * (mixes * c_.hc_mult * d + mixes + 3) * 4;
    parameters_ += 2.0 * static_cast<double>(mixes * c_.hc_mult * d);
    out.attention += heads * 4 + linear(low, d) + 2 * low + linear(heads * width, low) +
                     linear(width, d) + 2 * width + linear(out_low, heads * width / c_.o_groups) +
                     linear(d, out_low);
    if (ratio != 0) out.compressor += compressor(static_cast<std::uint64_t>(ratio), width);
    if (ratio == 4) {
      const std::uint64_t index = c_.index_n_heads * c_.index_head_dim;
      out.indexer += linear(index, low) + matrix(Format::kBf16, c_.index_n_heads, d) +
                     compressor(4, c_.index_head_dim);
      parameters_ += static_cast<double>(c_.index_n_heads * d);
    }
    out.router += matrix(Format::kBf16, c_.n_routed_experts, d);
    parameters_ += static_cast<double>(c_.n_routed_experts * d);
    if (hashed) {
      out.hash_tables += c_.vocab_size * c_.num_experts_per_tok * 8;
    } else {
      out.router += c_.n_routed_experts * 4;
    }
    out.routed_experts += c_.n_routed_experts * expert(f_.expert);
    out.shared_experts += c_.n_shared_experts * expert(f_.linear);
  }

  const ModelConfig& c_;
  const Formats f_;
  Footprint out_;
  double parameters_ = 0;
};

StateBytes state(const ModelConfig& c, std::int64_t context, LayerRange layers, double row,
                 double key) {
  StateBytes out;
  const auto tokens = static_cast<double>(context);
  for (std::size_t layer = layers.first; layer < layers.end; ++layer) {
    const std::int32_t ratio = c.ratio(layer);
    const double window = row * std::min(tokens, static_cast<double>(c.sliding_window));
    out.read_per_token += window;
    if (ratio == 0) continue;
    const double rows = tokens / ratio;
    out.per_token += row / ratio;
    if (ratio == 4) {
      // Every key is scored, the best rows are read.
      out.per_token += key / ratio;
      out.read_per_token += rows * key + std::min(rows, static_cast<double>(c.index_topk)) * row;
    } else {
      out.read_per_token += rows * row;
    }
  }
  return out;
}

std::string gigabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

}  // namespace

Footprint footprint(const ModelConfig& config, std::string_view config_json) {
  return Sizes(config, formats_of(config_json)).run();
}

StateBytes packed_state(const ModelConfig& c, std::int64_t context) {
  return packed_state(c, context, {0, c.num_hidden_layers});
}

StateBytes packed_state(const ModelConfig& c, std::int64_t context, LayerRange layers) {
  const auto rope = static_cast<double>(c.qk_rope_head_dim);
  const double row = static_cast<double>(c.head_dim) + rope + 8;
  return state(c, context, layers, row, static_cast<double>(c.index_head_dim) / 2 + 4);
}

std::uint64_t default_state_bytes(const ModelConfig& config, std::uint64_t memory_bytes) {
  const std::int64_t tokens = std::min<std::int64_t>(config.max_position_embeddings, 1 << 19);
  const StateBytes state = packed_state(config, tokens);
  const auto wanted = static_cast<std::uint64_t>(state.per_token * static_cast<double>(tokens));
  return std::min(std::max(wanted, std::uint64_t{1} << 30U), memory_bytes / 4);
}

Plan make_plan(const ModelConfig& config, const Footprint& sizes, std::uint64_t weights_bytes,
               std::int64_t context, const Machine& machine) {
  Plan plan;
  const StateBytes kv = packed_state(config, context);
  plan.weights_bytes = weights_bytes != 0 ? weights_bytes : sizes.total();
  plan.kv_bytes = static_cast<std::uint64_t>(kv.per_token * static_cast<double>(context));
  plan.resident_bytes = plan.weights_bytes + plan.kv_bytes + kOverhead;
  const double bytes = static_cast<double>(sizes.read_per_token()) + kv.read_per_token;
  plan.decode_tps = machine.read_gbs * 1e9 / std::max(bytes, 1.0);
  plan.prefill_tps = machine.multiply_gops * 1e9 / std::max(sizes.active_parameters, 1.0);
  plan.fits = plan.resident_bytes <= machine.memory_bytes;
  if (!plan.fits) {
    plan.refusal = "it needs " + gigabytes(plan.resident_bytes) + " of memory (" +
                   gigabytes(plan.weights_bytes) + " of weights, " + gigabytes(plan.kv_bytes) +
                   " of state for " + std::to_string(context) + " tokens) and this machine has " +
                   gigabytes(machine.memory_bytes) +
                   "; use a smaller model or a remote server (docs/scaling.md)";
  }
  return plan;
}

const std::vector<Card>& known_cards() {
  constexpr std::uint64_t kGb = 1'000'000'000;
  static const std::vector<Card> cards = {
      {"h100", 80 * kGb, 3350, 63, 494'500},         {"h200", 141 * kGb, 4800, 63, 494'500},
      {"rtx-pro-6000", 96 * kGb, 1792, 63, 252'000}, {"rtx-5090", 32 * kGb, 1792, 63, 104'800},
      {"dgx-spark", 128 * kGb, 273, 0, 62'500},
  };
  return cards;
}

}  // namespace ambit::inference
