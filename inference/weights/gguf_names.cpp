#include "inference/weights/gguf_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "inference/weights/gguf_metadata.h"
#include "inference/weights/names.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::json;
using Pair = std::pair<std::string_view, std::string_view>;

// Keys without the arch in front, and what the official configuration calls them.
constexpr std::array kRequired = {
    Pair{"block_count", "num_hidden_layers"},
    Pair{"context_length", "max_position_embeddings"},
    Pair{"embedding_length", "hidden_size"},
    Pair{"expert_count", "n_routed_experts"},
    Pair{"expert_used_count", "num_experts_per_tok"},
    Pair{"expert_feed_forward_length", "moe_intermediate_size"},
    Pair{"rope.dimension_count", "qk_rope_head_dim"},
    Pair{"attention.head_count", "num_attention_heads"},
    Pair{"attention.key_length", "head_dim"},
    Pair{"attention.q_lora_rank", "q_lora_rank"},
    Pair{"attention.output_lora_rank", "o_lora_rank"},
    Pair{"attention.output_group_count", "o_groups"},
    Pair{"attention.sliding_window", "sliding_window"},
};
constexpr std::array kOptional = {
    Pair{"hash_layer_count", "num_hash_layers"},
    Pair{"expert_shared_count", "n_shared_experts"},
    Pair{"expert_weights_scale", "routed_scaling_factor"},
    Pair{"hyper_connection.count", "hc_mult"},
    Pair{"hyper_connection.sinkhorn_iterations", "hc_sinkhorn_iters"},
    Pair{"hyper_connection.epsilon", "hc_eps"},
    Pair{"rope.freq_base", "rope_theta"},
    Pair{"attention.compress_rope_freq_base", "compress_rope_theta"},
    Pair{"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    Pair{"attention.indexer.head_count", "index_n_heads"},
    Pair{"attention.indexer.key_length", "index_head_dim"},
    Pair{"attention.indexer.top_k", "index_topk"},
};
constexpr std::array kScaling = {
    Pair{"rope.scaling.factor", "factor"},
    Pair{"rope.scaling.original_context_length", "original_max_position_embeddings"},
    Pair{"rope.scaling.yarn_beta_fast", "beta_fast"},
    Pair{"rope.scaling.yarn_beta_slow", "beta_slow"},
};

constexpr std::array kWhole = {
    Pair{"token_embd.weight", "embed.weight"}, Pair{"output.weight", "head.weight"},
    Pair{"output_norm.weight", "norm.weight"}, Pair{"output_hc_fn", "hc_head_fn"},
    Pair{"output_hc_base", "hc_head_base"},    Pair{"output_hc_scale", "hc_head_scale"},
};
// Inside a block. Names without an ending are tables, which some files give a ".weight" or ".bias".
constexpr std::array kInBlock = {
    Pair{"attn_norm.weight", "attn_norm.weight"},
    Pair{"ffn_norm.weight", "ffn_norm.weight"},
    Pair{"hc_attn_fn", "hc_attn_fn"},
    Pair{"hc_attn_base", "hc_attn_base"},
    Pair{"hc_attn_scale", "hc_attn_scale"},
    Pair{"hc_ffn_fn", "hc_ffn_fn"},
    Pair{"hc_ffn_base", "hc_ffn_base"},
    Pair{"hc_ffn_scale", "hc_ffn_scale"},
    Pair{"attn_sinks", "attn.attn_sink"},
    Pair{"attn_q_a.weight", "attn.wq_a.weight"},
    Pair{"attn_q_a_norm.weight", "attn.q_norm.weight"},
    Pair{"attn_q_b.weight", "attn.wq_b.weight"},
    Pair{"attn_kv.weight", "attn.wkv.weight"},
    Pair{"attn_kv_norm.weight", "attn.kv_norm.weight"},
    Pair{"attn_kv_a_norm.weight", "attn.kv_norm.weight"},
    Pair{"attn_output_a.weight", "attn.wo_a.weight"},
    Pair{"attn_output_b.weight", "attn.wo_b.weight"},
    Pair{"attn_compressor_ape", "attn.compressor.ape"},
    Pair{"attn_compressor_kv.weight", "attn.compressor.wkv.weight"},
    Pair{"attn_compressor_gate.weight", "attn.compressor.wgate.weight"},
    Pair{"attn_compressor_norm.weight", "attn.compressor.norm.weight"},
    Pair{"indexer.attn_q_b.weight", "attn.indexer.wq_b.weight"},
    Pair{"indexer.proj.weight", "attn.indexer.weights_proj.weight"},
    Pair{"indexer_compressor_ape", "attn.indexer.compressor.ape"},
    Pair{"indexer_compressor_kv.weight", "attn.indexer.compressor.wkv.weight"},
    Pair{"indexer_compressor_gate.weight", "attn.indexer.compressor.wgate.weight"},
    Pair{"indexer_compressor_norm.weight", "attn.indexer.compressor.norm.weight"},
    Pair{"ffn_gate_inp.weight", "ffn.gate.weight"},
    Pair{"exp_probs_b", "ffn.gate.bias"},
    Pair{"ffn_gate_tid2eid", "ffn.gate.tid2eid"},
    Pair{"ffn_gate_shexp.weight", "ffn.shared_experts.w1.weight"},
    Pair{"ffn_up_shexp.weight", "ffn.shared_experts.w3.weight"},
    Pair{"ffn_down_shexp.weight", "ffn.shared_experts.w2.weight"},
};
// Of a draft block beside its own.
constexpr std::array kDraft = {
    Pair{"e_proj.weight", "e_proj.weight"}, Pair{"h_proj.weight", "h_proj.weight"},
    Pair{"enorm.weight", "enorm.weight"},   Pair{"hnorm.weight", "hnorm.weight"},
    Pair{"norm.weight", "norm.weight"},     Pair{"hc_head_fn", "hc_head_fn"},
    Pair{"hc_head_base", "hc_head_base"},   Pair{"hc_head_scale", "hc_head_scale"},
};
// The same in llama.cpp's trailing block.
constexpr std::array kNextn = {
    Pair{"nextn.eh_proj.weight", "eh_proj.weight"},
    Pair{"nextn.e_proj.weight", "e_proj.weight"},
    Pair{"nextn.h_proj.weight", "h_proj.weight"},
    Pair{"nextn.enorm.weight", "enorm.weight"},
    Pair{"nextn.hnorm.weight", "hnorm.weight"},
    Pair{"nextn.shared_head_norm.weight", "norm.weight"},
    Pair{"nextn.hc_head_fn", "hc_head_fn"},
    Pair{"nextn.hc_head_base", "hc_head_base"},
    Pair{"nextn.hc_head_scale", "hc_head_scale"},
};
// Copies of the model's own.
constexpr std::array<std::string_view, 2> kShared = {"nextn.embed_tokens.weight",
                                                     "nextn.shared_head_head.weight"};
constexpr std::array kStacks = {
    Pair{"ffn_gate_exps.weight", ".w1.weight"},
    Pair{"ffn_up_exps.weight", ".w3.weight"},
    Pair{"ffn_down_exps.weight", ".w2.weight"},
};

std::string key(std::string_view rest) {
  return std::string(kGgufArch) + "." + std::string(rest);
}

Error unsupported(const std::string& why) {
  return make_error(Code::kUnsupported, why + "; use a GGUF file of DeepSeek-V4 (arch deepseek4)");
}

std::optional<Json> number(const Gguf& file, std::string_view name) {
  if (const auto* i = file.get<std::int64_t>(name)) return Json(*i);
  if (const auto* d = file.get<double>(name)) return Json(*d);
  return std::nullopt;
}

// One value for all layers; the file may give one each.
Result<std::optional<double>> clamp(const Gguf& file, std::string_view name) {
  if (const auto one = number(file, name)) return std::optional<double>(one->get<double>());
  const auto* all = file.get<std::vector<double>>(name);
  if (all == nullptr || all->empty()) return std::optional<double>();
  for (const double v : *all) {
    if (v != all->front()) {
      return make_error(Code::kUnsupported, std::string(name) +
                                                " differs between layers; Ambit runs models with "
                                                "one value, as the released ones have");
    }
  }
  return std::optional<double>(all->front());
}

std::optional<std::string_view> find(std::span<const Pair> table, std::string_view name) {
  for (const auto& [from, to] : table) {
    if (name == from) return to;
    const bool bare = from.find(".weight") == std::string_view::npos;
    if (bare && name.starts_with(from)) {
      const auto rest = name.substr(from.size());
      if (rest == ".weight" || rest == ".bias") return to;
    }
  }
  return std::nullopt;
}

// Matrix `index` of a stack [n, rows, cols].
Tensor piece(const Tensor& stack, std::size_t index) {
  Tensor t = stack;
  t.shape = {stack.shape[1], stack.shape[2]};
  const std::size_t size = stack.data.size() / static_cast<std::size_t>(stack.shape[0]);
  t.data = stack.data.subspan(index * size, size);
  return t;
}

// Layers and, behind them, MTP blocks.
struct Blocks {
  std::int64_t layers = 0;
  std::int64_t mtp = 0;  // 1 when the file's block can be used
};
Blocks blocks_of(const Gguf& file) {
  const auto* all = file.get<std::int64_t>(key("block_count"));
  const auto* nextn = file.get<std::int64_t>(key("nextn_predict_layers"));
  if (all == nullptr) return {};
  Blocks b{.layers = *all};
  if (nextn == nullptr || *nextn < 1 || *nextn >= *all) return b;
  b.layers -= *nextn;
  // Beside the layers it needs a head of its own; alone in a file it has the file's.
  const auto& tensors = file.tensors();
  const std::string at = "blk." + std::to_string(b.layers) + ".nextn.";
  const bool alone = !tensors.contains("blk.0.attn_norm.weight");
  b.mtp =
      tensors.contains(at + "enorm.weight") && (alone || tensors.contains(at + "hc_head_fn.weight"))
          ? 1
          : 0;
  return b;
}

Error unknown(const std::string& name) {
  return make_error(Code::kUnsupported,
                    "tensor " + name + " is unknown; Ambit reads the names of llama.cpp and ds4");
}

Error twice(const std::string& name) {
  return make_error(Code::kCorrupt,
                    "tensor " + name + " is in the file under two names; get another file");
}

}  // namespace

Result<std::string> gguf_config(const Gguf& file) {
  const auto* arch = file.get<std::string>("general.architecture");
  if (arch == nullptr || *arch != kGgufArch) {
    return unsupported("the file's architecture is " +
                       (arch == nullptr || !is_plain_name(*arch) ? "not stated" : *arch));
  }
  Json config = {{"model_type", "deepseek_v4"}, {"architectures", {"DeepseekV4ForCausalLM"}}};
  for (const auto& [from, to] : kRequired) {
    const auto v = number(file, key(from));
    if (!v) {
      return make_error(Code::kCorrupt, "metadata " + key(from) +
                                            " is missing; convert the checkpoint again with a "
                                            "newer converter");
    }
    config[std::string(to)] = *v;
  }
  const Blocks blocks = blocks_of(file);
  config["num_hidden_layers"] = blocks.layers;
  for (const auto& [from, to] : kOptional) {
    if (const auto v = number(file, key(from))) config[std::string(to)] = *v;
  }
  AMBIT_TRY(limit, clamp(file, key("swiglu_clamp_exp")));
  AMBIT_TRY(shared_limit, clamp(file, key("swiglu_clamp_shexp")));
  if (limit && shared_limit && *limit != *shared_limit) {
    return unsupported("shared and routed experts have different clamps");
  }
  if (limit) config["swiglu_limit"] = *limit;
  if (const auto* gating = file.get<std::int64_t>(key("expert_gating_func"));
      gating != nullptr && *gating != 4) {
    return unsupported("the routing function is number " + std::to_string(*gating));
  }
  if (const auto* norm = file.get<bool>(key("expert_weights_norm")); norm != nullptr && !*norm) {
    return unsupported("the weights of the experts are not normalised");
  }
  if (const auto* type = file.get<std::string>(key("rope.scaling.type"));
      type != nullptr && *type == "yarn") {
    Json scaling = {{"type", "yarn"}};
    for (const auto& [from, to] : kScaling) {
      if (const auto v = number(file, key(from))) scaling[std::string(to)] = *v;
    }
    config["rope_scaling"] = scaling;
  }
  const auto* ratios = file.get<std::vector<std::int64_t>>(key("attention.compress_ratios"));
  if (ratios == nullptr) {
    return make_error(Code::kCorrupt, "metadata " + key("attention.compress_ratios") +
                                          " is missing; convert the checkpoint again");
  }
  if (blocks.layers == 0) return unsupported("metadata " + key("block_count") + " is no integer");
  Json used = Json::array();
  for (std::size_t l = 0; l < ratios->size() && static_cast<std::int64_t>(l) < blocks.layers; ++l) {
    used.push_back((*ratios)[l]);
  }
  if (blocks.mtp != 0) used.push_back(0);
  config["compress_ratios"] = used;
  for (const auto& [from, to] : {Pair{"tokenizer.ggml.bos_token_id", "bos_token_id"},
                                 Pair{"tokenizer.ggml.eos_token_id", "eos_token_id"}}) {
    if (const auto v = number(file, from)) config[std::string(to)] = *v;
  }
  const auto embed = file.tensors().find("token_embd.weight");
  if (embed == file.tensors().end()) {
    return make_error(Code::kCorrupt,
                      "tensor token_embd.weight is missing; get a file with the model's weights");
  }
  config["vocab_size"] = embed->second.shape.front();
  return config.dump();
}

Result<void> add_gguf_block_tensor(const std::string& name, std::string_view part,
                                   const Tensor& tensor, const std::string& at, TensorMap& out) {
  if (const auto to = find(kInBlock, part)) {
    if (!out.emplace(at + std::string(*to), tensor).second) return twice(name);
    return {};
  }
  const auto stack = find(kStacks, part);
  if (!stack || !is_stack(tensor)) return unknown(name);
  for (std::size_t e = 0; e < static_cast<std::size_t>(tensor.shape[0]); ++e) {
    std::string expert = at + "ffn.experts." + std::to_string(e) + std::string(*stack);
    if (!out.emplace(std::move(expert), piece(tensor, e)).second) return twice(name);
  }
  if (out.size() <= kMostTensors) return {};
  return make_error(Code::kCorrupt, "the file has more tensors than any model has");
}

Result<TensorMap> gguf_tensors(const Gguf& file) {
  const Blocks blocks = blocks_of(file);
  TensorMap out;
  const auto add = [&](std::string name, const std::string& from, const Tensor& tensor) {
    return out.emplace(std::move(name), tensor).second ? Result<void>() : twice(from);
  };
  for (const auto& [name, tensor] : file.tensors()) {
    if (const auto whole = find(kWhole, name)) {
      AMBIT_CHECK_OK(add(std::string(*whole), name, tensor));
      continue;
    }
    std::int64_t block = -1;
    std::string_view rest(name);
    bool draft = rest.starts_with("mtp.");
    if (draft || rest.starts_with("blk.")) {
      rest.remove_prefix(4);
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), block);
      rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
      if (error == std::errc() && rest.starts_with('.')) {
        rest.remove_prefix(1);
      } else {
        block = -1;
      }
    }
    if (block < 0) return unknown(name);
    if (!draft && blocks.layers > 0 && block >= blocks.layers) {
      block -= blocks.layers;
      const bool copy = std::find(kShared.begin(), kShared.end(), rest) != kShared.end();
      if (block >= blocks.mtp || copy) continue;
      draft = true;
    }
    const std::string at = (draft ? "mtp." : "layers.") + std::to_string(block) + ".";
    auto part = draft ? find(kDraft, rest) : std::nullopt;
    if (draft && !part) part = find(kNextn, rest);
    if (part) {
      AMBIT_CHECK_OK(add(at + std::string(*part), name, tensor));
      continue;
    }
    AMBIT_CHECK_OK(add_gguf_block_tensor(name, rest, tensor, at, out));
  }
  return out;
}

std::string gguf_name(std::string_view released) {
  const auto back = [](std::span<const Pair> table, std::string_view name) -> std::string {
    std::string_view found;
    for (const auto& [from, to] : table) {
      if (name == to) found = from;  // the later spelling of two is llama.cpp's
    }
    if (found.empty() || found.ends_with(".weight")) return std::string(found);
    return std::string(found) + (found == "exp_probs_b" ? ".bias" : ".weight");
  };
  const bool draft = released.starts_with("mtp.");
  if (!draft && !released.starts_with("layers.")) return back(kWhole, released);
  const std::size_t number = draft ? 4 : 7;
  const std::size_t dot = released.find('.', number);
  if (dot == std::string_view::npos) return {};
  const std::string at =
      (draft ? "mtp." : "blk.") + std::string(released.substr(number, dot - number)) + ".";
  const std::string_view rest = released.substr(dot + 1);
  std::string part;
  if (rest.starts_with("ffn.experts.")) {
    const std::size_t end = rest.find('.', 12);
    if (end != std::string_view::npos) part = back(kStacks, rest.substr(end));
  } else {
    part = back(kInBlock, rest);
  }
  return part.empty() ? std::string() : at + part;
}

}  // namespace ambit::inference
