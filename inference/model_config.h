// The shapes of a DeepSeek-V4 checkpoint, read from its config.json. Every number that the graph
// uses comes from here; every one is checked to be in a range that makes sense, so that later code
// can allocate and index by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::inference {

struct ModelConfig {
  std::size_t vocab_size = 0;
  std::size_t hidden_size = 0;
  std::size_t num_hidden_layers = 0;
  std::size_t num_attention_heads = 0;
  std::size_t head_dim = 0;
  std::size_t qk_rope_head_dim = 0;
  std::size_t q_lora_rank = 0;
  std::size_t o_groups = 0;
  std::size_t o_lora_rank = 0;
  std::size_t sliding_window = 0;
  std::size_t index_n_heads = 0;
  std::size_t index_head_dim = 0;
  std::size_t index_topk = 0;
  std::size_t n_routed_experts = 0;
  std::size_t num_experts_per_tok = 0;
  std::size_t n_shared_experts = 1;
  std::size_t moe_intermediate_size = 0;
  std::size_t num_hash_layers = 0;
  std::size_t hc_mult = 4;
  int hc_sinkhorn_iters = 20;
  float hc_eps = 1e-6F;
  float rms_norm_eps = 1e-6F;
  float routed_scaling_factor = 1;
  float swiglu_limit = 0;  // +infinity when the file has none
  double rope_theta = 10000;
  double compress_rope_theta = 160000;
  bool yarn = false;  // on layers with a compressor
  double yarn_factor = 1;
  double yarn_original_length = 65536;
  double yarn_beta_fast = 32;
  double yarn_beta_slow = 1;
  std::int64_t max_position_embeddings = 0;
  std::int32_t bos_token_id = 0;
  std::int32_t eos_token_id = 1;
  // Tokens per compressed row of each backbone layer (0: none), then of the draft blocks (all 0).
  std::vector<std::int32_t> compress_ratios;
  // DSpark, the draft blocks of later releases: tokens that one pass drafts (0: no DSpark), the id
  // that stands for a token that is not known yet, the backbone layers whose outputs feed it, and
  // the width of its Markov head.
  std::size_t dspark_block_size = 0;
  std::int32_t dspark_noise_token_id = 0;
  std::size_t dspark_markov_rank = 0;
  std::vector<std::int32_t> dspark_target_layer_ids;

  [[nodiscard]] std::int32_t ratio(std::size_t layer) const { return compress_ratios[layer]; }
  [[nodiscard]] std::size_t draft_blocks() const {
    return compress_ratios.size() - num_hidden_layers;
  }
  [[nodiscard]] bool hash_routed(std::size_t layer) const { return layer < num_hash_layers; }

  [[nodiscard]] static Result<ModelConfig> load(const std::filesystem::path& config_json);
  [[nodiscard]] static Result<ModelConfig> parse(std::string_view json);
};

}  // namespace ambit::inference
