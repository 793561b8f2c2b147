#include "inference/weights/gguf_metadata.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "daemon/support/file.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::json;

// tokenizer.json as the arrays of a GGUF file: tokens in their printable form, by id.
Result<void> write_vocabulary(const std::filesystem::path& file, std::size_t vocab_size,
                              GgufWriter& writer) {
  AMBIT_TRY(text, read_file(file, std::uint64_t{256} << 20U));
  const Json json = Json::parse(text, nullptr, false);
  const auto bad = [&] { return make_error(Code::kCorrupt, file.string() + " is no tokenizer"); };
  if (!json.is_object() || !json.contains("model") || !json["model"].is_object()) return bad();
  const Json& model = json["model"];
  if (!model.contains("vocab") || !model["vocab"].is_object() || !model.contains("merges") ||
      !model["merges"].is_array()) {
    return bad();
  }
  constexpr std::int32_t kNormal = 1;
  constexpr std::int32_t kControl = 3;
  constexpr std::int32_t kUserDefined = 4;
  constexpr std::int32_t kUnused = 5;
  std::vector<std::string> tokens(vocab_size);
  std::vector<std::int32_t> types(vocab_size, kUnused);
  for (std::size_t i = 0; i < vocab_size; ++i) tokens[i] = "[PAD" + std::to_string(i) + "]";
  const auto set = [&](const Json& id, std::string content, std::int32_t type) {
    if (!id.is_number_integer()) return false;
    const auto i = id.get<std::int64_t>();
    if (i < 0 || i >= static_cast<std::int64_t>(vocab_size)) return false;
    tokens[static_cast<std::size_t>(i)] = std::move(content);
    types[static_cast<std::size_t>(i)] = type;
    return true;
  };
  for (const auto& [content, id] : model["vocab"].items()) {
    if (!set(id, content, kNormal)) return bad();
  }
  for (const Json& added : json.value("added_tokens", Json::array())) {
    if (!added.is_object() || !added.contains("content") || !added["content"].is_string() ||
        !added.contains("id")) {
      return bad();
    }
    const bool special = added.value("special", Json(false)) == true;
    if (!set(added["id"], added["content"].get<std::string>(), special ? kControl : kUserDefined))
      return bad();
  }
  std::vector<std::string> merges;
  for (const Json& m : model["merges"]) {
    if (m.is_string()) {
      merges.push_back(m.get<std::string>());
    } else if (m.is_array() && m.size() == 2 && m[0].is_string() && m[1].is_string()) {
      merges.push_back(m[0].get<std::string>() + " " + m[1].get<std::string>());
    } else {
      return bad();
    }
  }
  writer.text("tokenizer.ggml.model", "gpt2");
  writer.text("tokenizer.ggml.pre", "joyai-llm");
  writer.texts("tokenizer.ggml.tokens", tokens);
  writer.numbers("tokenizer.ggml.token_type", types);
  writer.texts("tokenizer.ggml.merges", merges);
  return {};
}

}  // namespace

Result<void> write_gguf_metadata(const ModelConfig& config, const std::filesystem::path& path,
                                 GgufContent content, GgufWriter& w) {
  const bool dspark = content == GgufContent::kDspark;
  const std::string_view arch = dspark ? kGgufDsparkArch : kGgufArch;
  const ModelConfig& c = config;
  const std::size_t mtp = content == GgufContent::kMtp ? 1 : 0;  // counted behind the layers
  const std::size_t blocks = dspark ? c.draft_blocks() : c.num_hidden_layers + mtp;
  const auto key = [&](std::string_view name) {
    return std::string(arch) + "." + std::string(name);
  };
  const auto number = [&](std::string_view name, auto value) {
    w.number(key(name), static_cast<std::uint32_t>(value));
  };
  const auto real = [&](std::string_view name, double value) {
    w.real(key(name), static_cast<float>(value));
  };
  w.text("general.architecture", arch);
  w.text("general.type", "model");
  w.number("general.quantization_version", 2);
  number("block_count", blocks);
  if (mtp != 0) number("nextn_predict_layers", mtp);
  number("vocab_size", c.vocab_size);
  number("context_length", c.max_position_embeddings);
  number("embedding_length", c.hidden_size);
  number("embedding_length_out", c.hidden_size * c.hc_mult);
  number("attention.head_count", c.num_attention_heads);
  number("attention.head_count_kv", 1);
  number("attention.key_length", c.head_dim);
  number("attention.value_length", c.head_dim);
  number("attention.q_lora_rank", c.q_lora_rank);
  number("attention.output_lora_rank", c.o_lora_rank);
  number("attention.output_group_count", c.o_groups);
  number("attention.sliding_window", c.sliding_window);
  real("attention.layer_norm_rms_epsilon", c.rms_norm_eps);
  number("attention.indexer.head_count", c.index_n_heads);
  number("attention.indexer.key_length", c.index_head_dim);
  number("attention.indexer.top_k", c.index_topk);
  real("attention.compress_rope_freq_base", c.compress_rope_theta);
  std::vector<std::int32_t> ratios = c.compress_ratios;
  if (dspark) ratios.clear();
  ratios.resize(blocks);  // a draft block's is 0
  w.numbers(key("attention.compress_ratios"), ratios);
  number("rope.dimension_count", c.qk_rope_head_dim);
  real("rope.freq_base", c.rope_theta);
  if (c.yarn) {
    w.text(key("rope.scaling.type"), "yarn");
    real("rope.scaling.factor", c.yarn_factor);
    number("rope.scaling.original_context_length", c.yarn_original_length);
    real("rope.scaling.yarn_beta_fast", c.yarn_beta_fast);
    real("rope.scaling.yarn_beta_slow", c.yarn_beta_slow);
  }
  number("expert_count", c.n_routed_experts);
  number("expert_used_count", c.num_experts_per_tok);
  number("expert_shared_count", c.n_shared_experts);
  number("expert_feed_forward_length", c.moe_intermediate_size);
  number("expert_gating_func", 4);
  real("expert_weights_scale", c.routed_scaling_factor);
  w.boolean(key("expert_weights_norm"), true);
  number("hash_layer_count", dspark ? 0 : c.num_hash_layers);
  // Infinity when the configuration has none.
  if (c.swiglu_limit < 1e30F) {
    const std::vector<float> limits(blocks, c.swiglu_limit);
    w.reals(key("swiglu_clamp_exp"), limits);
    w.reals(key("swiglu_clamp_shexp"), limits);
  }
  number("hyper_connection.count", c.hc_mult);
  number("hyper_connection.sinkhorn_iterations", c.hc_sinkhorn_iters);
  real("hyper_connection.epsilon", c.hc_eps);
  w.number("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(c.bos_token_id));
  w.number("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(c.eos_token_id));
  if (dspark) {
    number("block_size", c.dspark_block_size);
    // There the layer that a tap is the input of, here the one whose output it is.
    std::vector<std::int32_t> taps = c.dspark_target_layer_ids;
    for (std::int32_t& tap : taps) ++tap;
    w.numbers(key("target_layers"), taps);
    w.number("tokenizer.ggml.mask_token_id", static_cast<std::uint32_t>(c.dspark_noise_token_id));
  }
  std::error_code ec;
  const auto file =
      (std::filesystem::is_directory(path, ec) ? path : path.parent_path()) / "tokenizer.json";
  if (std::filesystem::exists(file, ec)) return write_vocabulary(file, c.vocab_size, w);
  w.text("tokenizer.ggml.model", "none");
  return {};
}

}  // namespace ambit::inference
