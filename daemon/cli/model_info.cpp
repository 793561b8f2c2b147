#include "daemon/cli/model_info.h"

#include <map>
#include <nlohmann/json.hpp>

#include "inference/tokenizer/tokenizer.h"
#include "inference/weights/checkpoint.h"

namespace ambit::daemon {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Tally {
  std::uint64_t tensors = 0, bytes = 0;
};

Json special_ids(const inference::SpecialTokens& s) {
  return {{"bos", s.bos},           {"eos", s.eos},
          {"pad", s.pad},           {"fim_begin", s.fim_begin},
          {"fim_hole", s.fim_hole}, {"fim_end", s.fim_end},
          {"user", s.user},         {"assistant", s.assistant},
          {"think", s.think},       {"end_think", s.end_think},
          {"dsml", s.dsml}};
}

std::string quantisation(const std::map<std::string, Tally>& dtypes, const Json& config) {
  if (const auto it = config.find("quantization_config"); it != config.end() && it->is_object()) {
    if (const auto method = it->find("quant_method"); method != it->end() && method->is_string()) {
      return method->get<std::string>();
    }
  }
  std::string widest = "none";
  std::uint64_t most = 0;
  for (const auto& [dtype, tally] : dtypes) {
    if (tally.bytes > most) {
      most = tally.bytes;
      widest = dtype;
    }
  }
  return widest;
}

std::string as_lines(const Json& info) {
  std::string out;
  for (const auto& [key, value] : info.items()) {
    if (key == "config") continue;
    out += key + ": " + (value.is_string() ? value.get<std::string>() : value.dump()) + "\n";
  }
  for (const char* key : {"num_hidden_layers", "hidden_size", "num_attention_heads", "head_dim",
                          "n_routed_experts", "num_experts_per_tok", "vocab_size"}) {
    if (info["config"].contains(key)) {
      out += std::string(key) + ": " + info["config"][key].dump() + "\n";
    }
  }
  return out;
}

// The blocks that draft tokens, if their weights are there.
std::string drafts(const inference::Checkpoint& checkpoint) {
  const auto& c = checkpoint.config;
  if (checkpoint.tensors.contains("mtp.0.main_proj.weight")) {
    return "DSpark, " + std::to_string(c.draft_blocks()) + " blocks, up to " +
           std::to_string(c.dspark_block_size) + " tokens a pass";
  }
  return checkpoint.tensors.contains("mtp.0.enorm.weight") ? "MTP, 1 block" : "none";
}

}  // namespace

Result<std::string> model_info(const fs::path& path, bool json) {
  // Checked by the reader that the engine uses; then shown as it is in the file.
  AMBIT_TRY(checkpoint, inference::open_checkpoint(path));
  const Json config = Json::parse(checkpoint.config_json, nullptr, /*allow_exceptions=*/false);
  Json tokenizer;
  if (const auto loaded = inference::checkpoint_tokenizer(path); loaded.has_value()) {
    tokenizer["vocab_size"] = (*loaded)->vocab_size();
    tokenizer["special_token_ids"] = special_ids((*loaded)->special());
  }
  std::map<std::string, Tally> dtypes;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    Tally& tally = dtypes[std::string(inference::dtype_name(tensor))];
    ++tally.tensors;
    tally.bytes += tensor.data.size();
  }
  Json by_dtype = Json::object();
  for (const auto& [dtype, tally] : dtypes) {
    by_dtype[dtype] = {{"tensors", tally.tensors}, {"bytes", tally.bytes}};
  }
  const Json info = {{"path", path.string()},
                     {"format", checkpoint.format},
                     {"tensors", checkpoint.tensors.size()},
                     {"bytes", checkpoint.bytes},
                     {"by_dtype", by_dtype},
                     {"quantisation", quantisation(dtypes, config)},
                     {"draft_blocks", checkpoint.config.draft_blocks()},
                     {"drafts", drafts(checkpoint)},
                     {"tokenizer", tokenizer},
                     {"config", config}};
  return json ? info.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n" : as_lines(info);
}

}  // namespace ambit::daemon
