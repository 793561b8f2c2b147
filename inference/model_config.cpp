#include "inference/model_config.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "daemon/support/file.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::json;

Error bad(std::string_view key, std::string_view why) {
  return make_error(Code::kCorrupt,
                    "config.json: " + std::string(key) + " " + std::string(why) +
                        "; this is not a DeepSeek-V4 configuration that Ambit can run");
}

// Reads keys and remembers the first problem.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  template <class T>
  void integer(const char* key, T& out, std::int64_t least, std::int64_t most,
               bool required = true) {
    const auto it = json_.find(key);
    if (it == json_.end() || it->is_null()) {
      if (required) fail(key, "is missing");
      return;
    }
    if (!it->is_number_integer()) return fail(key, "is not an integer");
    const auto v = it->get<std::int64_t>();
    if (v < least || v > most) {
      return fail(key, "is " + std::to_string(v) + ", outside " + std::to_string(least) + " to " +
                           std::to_string(most));
    }
    out = static_cast<T>(v);
  }
  template <class T>
  void real(const char* key, T& out, double least, double most) {
    const auto it = json_.find(key);
    if (it == json_.end() || it->is_null()) return;
    if (!it->is_number()) return fail(key, "is not a number");
    const auto v = it->get<double>();
    if (!(v >= least && v <= most)) return fail(key, "is out of range");
    out = static_cast<T>(v);
  }
  void fail(std::string_view key, std::string_view why) {
    if (!error_) error_ = bad(key, why);
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  const Json& json_;
  std::optional<Error> error_;
};

constexpr std::int64_t kWide = 1 << 20;

void read_dspark(const Json& json, Reader& r, ModelConfig& c) {
  r.integer("dspark_block_size", c.dspark_block_size, 0, 64, false);
  if (c.dspark_block_size == 0) return;
  r.integer("dspark_noise_token_id", c.dspark_noise_token_id, 0,
            static_cast<std::int64_t>(c.vocab_size) - 1);
  r.integer("dspark_markov_rank", c.dspark_markov_rank, 1, kWide);
  const auto taps = json.find("dspark_target_layer_ids");
  if (taps == json.end() || !taps->is_array() || taps->empty() || taps->size() > 16) {
    return r.fail("dspark_target_layer_ids", "is missing or no list of 1 to 16 layers");
  }
  for (const Json& v : *taps) {
    const std::int64_t layer = v.is_number_integer() ? v.get<std::int64_t>() : -1;
    if (layer < 0 || layer >= static_cast<std::int64_t>(c.num_hidden_layers)) {
      return r.fail("dspark_target_layer_ids", "names a layer that does not exist");
    }
    c.dspark_target_layer_ids.push_back(static_cast<std::int32_t>(layer));
  }
}

}  // namespace

Result<ModelConfig> ModelConfig::load(const std::filesystem::path& path) {
  AMBIT_TRY(text, read_file(path, std::uint64_t{16} << 20U));
  return parse(text);
}

Result<ModelConfig> ModelConfig::parse(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return bad("the file", "is not a JSON object");
  if (json.value("model_type", Json("deepseek_v4")) != "deepseek_v4") {
    return bad("model_type", "is not deepseek_v4");
  }
  ModelConfig c;
  c.swiglu_limit = std::numeric_limits<float>::infinity();
  Reader r(json);
  r.integer("vocab_size", c.vocab_size, 1, 1 << 24);
  r.integer("hidden_size", c.hidden_size, 1, kWide);
  r.integer("num_hidden_layers", c.num_hidden_layers, 1, 4096);
  r.integer("num_attention_heads", c.num_attention_heads, 1, 4096);
  r.integer("head_dim", c.head_dim, 2, 8192);
  r.integer("qk_rope_head_dim", c.qk_rope_head_dim, 2, 1024);
  r.integer("q_lora_rank", c.q_lora_rank, 1, kWide);
  r.integer("o_groups", c.o_groups, 1, 4096);
  r.integer("o_lora_rank", c.o_lora_rank, 1, kWide);
  r.integer("sliding_window", c.sliding_window, 1, 65536);
  r.integer("index_n_heads", c.index_n_heads, 1, 4096, false);
  r.integer("index_head_dim", c.index_head_dim, 2, 8192, false);
  r.integer("index_topk", c.index_topk, 1, 1 << 20, false);
  r.integer("n_routed_experts", c.n_routed_experts, 1, 65536);
  r.integer("num_experts_per_tok", c.num_experts_per_tok, 1, 1024);
  r.integer("n_shared_experts", c.n_shared_experts, 1, 1, false);
  r.integer("moe_intermediate_size", c.moe_intermediate_size, 1, kWide);
  r.integer("num_hash_layers", c.num_hash_layers, 0, 4096, false);
  r.integer("hc_mult", c.hc_mult, 1, 8, false);
  r.integer("hc_sinkhorn_iters", c.hc_sinkhorn_iters, 1, 1000, false);
  r.integer("max_position_embeddings", c.max_position_embeddings, 1, std::int64_t{1} << 24);
  r.integer("bos_token_id", c.bos_token_id, 0, 1 << 24, false);
  r.integer("eos_token_id", c.eos_token_id, 0, 1 << 24, false);
  r.real("hc_eps", c.hc_eps, 0, 1);
  r.real("rms_norm_eps", c.rms_norm_eps, 0, 1);
  r.real("routed_scaling_factor", c.routed_scaling_factor, 0, 1e6);
  r.real("swiglu_limit", c.swiglu_limit, 0, 1e30);
  r.real("rope_theta", c.rope_theta, 1, 1e12);
  r.real("compress_rope_theta", c.compress_rope_theta, 1, 1e12);
  if (const auto it = json.find("rope_scaling"); it != json.end() && it->is_object()) {
    Reader s(*it);
    c.yarn = true;
    s.real("factor", c.yarn_factor, 1, 1e6);
    s.real("original_max_position_embeddings", c.yarn_original_length, 1, 1e9);
    s.real("beta_fast", c.yarn_beta_fast, 1e-3, 1e6);
    s.real("beta_slow", c.yarn_beta_slow, 1e-3, 1e6);
    if (s.error()) return *s.error();
  }
  if (const auto it = json.find("compress_ratios"); it != json.end() && it->is_array()) {
    for (const Json& v : *it) {
      const std::int64_t ratio = v.is_number_integer() ? v.get<std::int64_t>() : -1;
      if (ratio != 0 && (ratio < 2 || ratio > 128 || 128 % ratio != 0)) {
        r.fail("compress_ratios", "holds a value that is neither 0 nor a divisor of 128");
        break;
      }
      c.compress_ratios.push_back(static_cast<std::int32_t>(ratio));
    }
  } else {
    r.fail("compress_ratios", "is missing");
  }
  read_dspark(json, r, c);
  if (r.error()) return *r.error();
  if (c.compress_ratios.size() < c.num_hidden_layers ||
      c.compress_ratios.size() > c.num_hidden_layers + 16) {
    return bad("compress_ratios", "does not have one entry a layer");
  }
  if (c.dspark_block_size != 0 && c.draft_blocks() == 0) {
    return bad("compress_ratios", "has no entries for the DSpark blocks");
  }
  for (std::size_t l = 0; l < c.num_hidden_layers; ++l) {
    if (c.ratio(l) == 4 && (c.index_n_heads == 0 || c.index_head_dim == 0 || c.index_topk == 0)) {
      return bad("index_n_heads, index_head_dim or index_topk", "is missing for a ratio-4 layer");
    }
  }
  if (c.qk_rope_head_dim % 2 != 0 || c.qk_rope_head_dim > c.head_dim ||
      (c.index_head_dim != 0 && c.qk_rope_head_dim > c.index_head_dim)) {
    return bad("qk_rope_head_dim", "is odd or larger than a head");
  }
  if ((c.index_head_dim & (c.index_head_dim - 1)) != 0) {
    return bad("index_head_dim", "is not a power of two");
  }
  if (c.num_attention_heads % c.o_groups != 0) return bad("o_groups", "does not divide the heads");
  if (c.num_experts_per_tok > c.n_routed_experts) {
    return bad("num_experts_per_tok", "is more than n_routed_experts");
  }
  return c;
}

}  // namespace ambit::inference
