#include "inference/weights/names.h"

#include <array>
#include <utility>
#include <vector>

namespace ambit::inference {
namespace {

using Rename = std::pair<std::string_view, std::string_view>;

// Whole names, without a leading "model.".
constexpr std::array kWhole = {
    Rename{"embed_tokens.weight", "embed.weight"}, Rename{"lm_head.weight", "head.weight"},
    Rename{"hc_head.hc_fn", "hc_head_fn"},         Rename{"hc_head.hc_base", "hc_head_base"},
    Rename{"hc_head.hc_scale", "hc_head_scale"},
};
// What follows "layers.N.", by its beginning; the first that fits is taken, so longer ones stand
// first.
constexpr std::array kBeginnings = {
    Rename{"self_attn.compressor.indexer.scorer.weights_proj", "attn.indexer.weights_proj"},
    Rename{"self_attn.compressor.indexer.q_b_proj", "attn.indexer.wq_b"},
    Rename{"self_attn.compressor.indexer.position_bias", "attn.indexer.compressor.ape"},
    Rename{"self_attn.compressor.indexer.kv_norm", "attn.indexer.compressor.norm"},
    Rename{"self_attn.compressor.indexer.gate_proj", "attn.indexer.compressor.wgate"},
    Rename{"self_attn.compressor.indexer.kv_proj", "attn.indexer.compressor.wkv"},
    Rename{"self_attn.compressor.position_bias", "attn.compressor.ape"},
    Rename{"self_attn.compressor.kv_norm", "attn.compressor.norm"},
    Rename{"self_attn.compressor.gate_proj", "attn.compressor.wgate"},
    Rename{"self_attn.compressor.kv_proj", "attn.compressor.wkv"},
    Rename{"self_attn.sinks", "attn.attn_sink"},
    Rename{"self_attn.q_a_proj", "attn.wq_a"},
    Rename{"self_attn.q_a_norm", "attn.q_norm"},
    Rename{"self_attn.q_b_proj", "attn.wq_b"},
    Rename{"self_attn.kv_proj", "attn.wkv"},
    Rename{"self_attn.o_a_proj", "attn.wo_a"},
    Rename{"self_attn.o_b_proj", "attn.wo_b"},
    Rename{"self_attn.", "attn."},
    Rename{"mlp.gate.e_score_correction_bias", "ffn.gate.bias"},
    Rename{"ffn.gate.e_score_correction_bias", "ffn.gate.bias"},
    Rename{"mlp.shared_experts.gate_proj", "ffn.shared_experts.w1"},
    Rename{"mlp.shared_experts.up_proj", "ffn.shared_experts.w3"},
    Rename{"mlp.shared_experts.down_proj", "ffn.shared_experts.w2"},
    Rename{"mlp.", "ffn."},
    Rename{"input_layernorm", "attn_norm"},
    Rename{"post_attention_layernorm", "ffn_norm"},
    Rename{"attn_hc.", "hc_attn_"},
    Rename{"ffn_hc.", "hc_ffn_"},
};
// Of one expert that is not stacked ("….experts.7.gate_proj.weight").
constexpr std::array kExpertParts = {
    Rename{".gate_proj.", ".w1."},
    Rename{".up_proj.", ".w3."},
    Rename{".down_proj.", ".w2."},
};

bool begins(std::string_view s, std::string_view with) {
  return s.substr(0, with.size()) == with;
}
bool ends(std::string_view s, std::string_view with) {
  return s.size() >= with.size() && s.substr(s.size() - with.size()) == with;
}

// Length of "layers.N." or "mtp.N." at the beginning of name, 0 without one.
std::size_t block_prefix(std::string_view name) {
  const std::size_t word = begins(name, "layers.") ? 7 : begins(name, "mtp.") ? 4 : 0;
  if (word == 0) return 0;
  const std::size_t dot = name.find('.', word);
  return dot == std::string_view::npos || dot == word ? 0 : dot + 1;
}

// Rows [first, first + rows) of matrix `index` of a stack [n, all, cols].
Tensor piece(const Tensor& stack, std::size_t index, std::size_t first, std::size_t rows) {
  const auto all = static_cast<std::size_t>(stack.shape[1]);
  const std::size_t row_bytes = static_cast<std::size_t>(stack.shape[2]) * bytes_of(stack.type);
  Tensor t;
  t.type = stack.type;
  t.shape = {static_cast<std::int64_t>(rows), stack.shape[2]};
  t.data = stack.data.subspan((index * all + first) * row_bytes, rows * row_bytes);
  return t;
}

Result<void> put(TensorMap& out, std::string name, Tensor t) {
  const auto [it, added] = out.emplace(std::move(name), std::move(t));
  if (added) return {};
  return make_error(Code::kCorrupt, "tensor " + it->first +
                                        " is in the checkpoint under two names; keep one naming");
}

// Cuts a stack whose name up to "experts." is `at`.
Result<void> cut(TensorMap& out, const std::string& at, std::string_view part, const Tensor& t) {
  const bool both = begins(part, "gate_up_proj");
  const std::string_view rest = part.substr(both ? 12 : 9);
  const bool scale = rest == ".scale" || rest == "_scale_inv" || rest == "_scale";
  if (!scale && !rest.empty() && rest != ".weight") {
    return make_error(Code::kUnsupported, "tensor " + at + std::string(part) +
                                              " is not a known part of the experts; convert the "
                                              "checkpoint to the released names");
  }
  if (!is_stack(t) || (both && t.shape[1] % 2 != 0)) {
    return make_error(Code::kCorrupt, "tensor " + at + std::string(part) +
                                          " is no stack of expert matrices; the checkpoint does "
                                          "not fit its config.json");
  }
  const std::string suffix = scale ? ".scale" : ".weight";
  const auto rows = static_cast<std::size_t>(t.shape[1]);
  for (std::size_t e = 0; e < static_cast<std::size_t>(t.shape[0]); ++e) {
    const std::string expert = at + std::to_string(e);
    if (both) {
      AMBIT_CHECK_OK(put(out, expert + ".w1" + suffix, piece(t, e, 0, rows / 2)));
      AMBIT_CHECK_OK(put(out, expert + ".w3" + suffix, piece(t, e, rows / 2, rows / 2)));
    } else {
      AMBIT_CHECK_OK(put(out, expert + ".w2" + suffix, piece(t, e, 0, rows)));
    }
  }
  return {};
}

}  // namespace

bool is_stack(const Tensor& t) {
  constexpr std::int64_t kMostExperts = 65536;  // model_config.cpp
  return t.shape.size() == 3 && t.shape[0] <= kMostExperts && t.elements() > 0;
}

std::string released_name(std::string_view name) {
  if (begins(name, "model.")) name.remove_prefix(6);
  for (const auto& [from, to] : kWhole) {
    if (name == from) return std::string(to);
  }
  const std::size_t prefix = block_prefix(name);
  if (prefix == 0) return std::string(name);
  std::string_view rest = name.substr(prefix);
  std::string out(name.substr(0, prefix));
  for (const auto& [from, to] : kBeginnings) {
    if (begins(rest, from)) {
      out += to;
      rest.remove_prefix(from.size());
      break;
    }
  }
  out += rest;
  if (out.find(".ffn.experts.") != std::string::npos) {
    for (const auto& [from, to] : kExpertParts) {
      if (const std::size_t i = out.find(from); i != std::string::npos) {
        out.replace(i, from.size(), to);
      }
    }
  }
  constexpr std::string_view kOldScale = "weight_scale_inv";
  if (ends(out, kOldScale)) out.replace(out.size() - kOldScale.size(), kOldScale.size(), "scale");
  return out;
}

Result<TensorMap> with_released_names(const TensorMap& tensors) {
  TensorMap out;
  constexpr std::string_view kExperts = ".ffn.experts.";
  for (const auto& [name, tensor] : tensors) {
    std::string released = released_name(name);
    const std::size_t i = released.find(kExperts);
    if (i != std::string::npos) {
      const std::string at = released.substr(0, i + kExperts.size());
      const std::string_view part = std::string_view(released).substr(at.size());
      if (begins(part, "gate_up_proj") || begins(part, "down_proj")) {
        AMBIT_CHECK_OK(cut(out, at, part, tensor));
        if (out.size() > kMostTensors) {
          return make_error(Code::kCorrupt, "the checkpoint has more tensors than any model has");
        }
        continue;
      }
    }
    AMBIT_CHECK_OK(put(out, std::move(released), tensor));
  }
  return out;
}

}  // namespace ambit::inference
