#include "inference/weights/gguf_names.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "daemon/support/file.h"
#include "inference/weights/names.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::json;
using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::string_view kArch = "deepseek4";

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
constexpr std::array kStacks = {
    Pair{"ffn_gate_exps.weight", ".w1.weight"},
    Pair{"ffn_up_exps.weight", ".w3.weight"},
    Pair{"ffn_down_exps.weight", ".w2.weight"},
};

std::string key(std::string_view rest) {
  return std::string(kArch) + "." + std::string(rest);
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

Error twice(const std::string& name) {
  return make_error(Code::kCorrupt,
                    "tensor " + name + " is in the file under two names; get another file");
}

}  // namespace

Result<std::string> gguf_config(const Gguf& file) {
  const auto* arch = file.get<std::string>("general.architecture");
  if (arch == nullptr || *arch != kArch) {
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
  const auto* layers = file.get<std::int64_t>(key("block_count"));
  if (layers == nullptr) return unsupported("metadata " + key("block_count") + " is no integer");
  Json used = Json::array();
  for (std::size_t l = 0; l < ratios->size() && static_cast<std::int64_t>(l) < *layers; ++l) {
    used.push_back((*ratios)[l]);
  }
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

Result<TensorMap> gguf_tensors(const Gguf& file) {
  const auto* layers = file.get<std::int64_t>(key("block_count"));
  TensorMap out;
  for (const auto& [name, tensor] : file.tensors()) {
    if (const auto whole = find(kWhole, name)) {
      if (!out.emplace(*whole, tensor).second) return twice(name);
      continue;
    }
    std::int64_t block = -1;
    std::string_view rest(name);
    const bool draft = rest.starts_with("mtp.");
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
    if (block < 0) {
      return make_error(Code::kUnsupported, "tensor " + name +
                                                " is unknown; Ambit reads the names of llama.cpp "
                                                "and ds4");
    }
    if (!draft && layers != nullptr && block >= *layers) continue;  // a draft block of llama.cpp's
    const std::string at = (draft ? "mtp." : "layers.") + std::to_string(block) + ".";
    auto part = find(kInBlock, rest);
    if (!part && draft) part = find(kDraft, rest);
    if (part) {
      if (!out.emplace(at + std::string(*part), tensor).second) return twice(name);
      continue;
    }
    const auto stack = find(kStacks, rest);
    if (!stack || !is_stack(tensor)) {
      return make_error(Code::kUnsupported, "tensor " + name +
                                                " is unknown; Ambit reads the names of llama.cpp "
                                                "and ds4");
    }
    for (std::size_t e = 0; e < static_cast<std::size_t>(tensor.shape[0]); ++e) {
      std::string expert = at + "ffn.experts." + std::to_string(e) + std::string(*stack);
      if (!out.emplace(std::move(expert), piece(tensor, e)).second) return twice(name);
    }
    if (out.size() > kMostTensors) {
      return make_error(Code::kCorrupt, "the file has more tensors than any model has");
    }
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
    if (part.empty() && draft) part = back(kDraft, rest);
  }
  return part.empty() ? std::string() : at + part;
}

namespace {

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

std::filesystem::path gguf_draft_file(const std::filesystem::path& model) {
  std::filesystem::path out = model;
  return out.replace_filename(model.stem().string() + "-mtp.gguf");
}

Result<void> write_gguf_metadata(const ModelConfig& c, const std::filesystem::path& path,
                                 GgufWriter& w) {
  const auto number = [&](std::string_view name, auto value) {
    w.number(key(name), static_cast<std::uint32_t>(value));
  };
  const auto real = [&](std::string_view name, double value) {
    w.real(key(name), static_cast<float>(value));
  };
  w.text("general.architecture", kArch);
  w.text("general.type", "model");
  w.number("general.quantization_version", 2);
  number("block_count", c.num_hidden_layers);
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
  w.numbers(key("attention.compress_ratios"), c.compress_ratios);
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
  number("hash_layer_count", c.num_hash_layers);
  // Infinity when the configuration has none.
  if (c.swiglu_limit < 1e30F) {
    const std::vector<float> limits(c.num_hidden_layers, c.swiglu_limit);
    w.reals(key("swiglu_clamp_exp"), limits);
    w.reals(key("swiglu_clamp_shexp"), limits);
  }
  number("hyper_connection.count", c.hc_mult);
  number("hyper_connection.sinkhorn_iterations", c.hc_sinkhorn_iters);
  real("hyper_connection.epsilon", c.hc_eps);
  w.number("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(c.bos_token_id));
  w.number("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(c.eos_token_id));
  std::error_code ec;
  const auto file =
      (std::filesystem::is_directory(path, ec) ? path : path.parent_path()) / "tokenizer.json";
  if (std::filesystem::exists(file, ec)) return write_vocabulary(file, c.vocab_size, w);
  w.text("tokenizer.ggml.model", "none");
  return {};
}

}  // namespace ambit::inference
