#include "inference/weights/gguf_dspark.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include "inference/weights/gguf_metadata.h"
#include "inference/weights/gguf_names.h"

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::int64_t kMostStages = 16;

// What has no number there belongs to the first or the last stage.
struct Loose {
  std::string_view gguf, released;
  bool first;
};
constexpr std::array kLoose = {
    Loose{"fc.weight", "main_proj.weight", true},
    Loose{"enc.output_norm.weight", "main_norm.weight", true},
    Loose{"output_norm.weight", "norm.weight", false},
    Loose{"output_hc_fn.weight", "hc_head_fn", false},
    Loose{"output_hc_base.weight", "hc_head_base", false},
    Loose{"output_hc_scale.weight", "hc_head_scale", false},
    Loose{"markov_w1.weight", "markov_head.markov_w1.weight", false},
    Loose{"markov_w2.weight", "markov_head.markov_w2.weight", false},
    Loose{"conf_proj.weight", "confidence_head.proj.weight", false},
};

std::string stage(std::size_t number) {
  return "mtp." + std::to_string(number) + ".";
}

std::string key(std::string_view name) {
  return std::string(kGgufDsparkArch) + "." + std::string(name);
}

}  // namespace

Result<void> add_gguf_dspark(const Gguf& file, const fs::path& path, std::string& config_json,
                             TensorMap& tensors) {
  const auto bad = [&](Code code, const std::string& why) {
    return make_error(code, path.filename().string() + ": " + why +
                                "; move it away, or take the DSpark file of this model");
  };
  const auto* arch = file.get<std::string>("general.architecture");
  if (arch == nullptr || *arch != kGgufDsparkArch ||
      file.get<std::int64_t>(key("hyper_connection.count")) == nullptr) {
    return bad(Code::kUnsupported, "this is no DSpark drafter of DeepSeek-V4 (arch dflash)");
  }
  const auto* stages = file.get<std::int64_t>(key("block_count"));
  const auto* size = file.get<std::int64_t>(key("block_size"));
  const auto* taps = file.get<std::vector<std::int64_t>>(key("target_layers"));
  const auto* noise = file.get<std::int64_t>("tokenizer.ggml.mask_token_id");
  const auto markov = file.tensors().find("markov_w1.weight");
  if (stages == nullptr || *stages < 1 || *stages > kMostStages || size == nullptr ||
      taps == nullptr || noise == nullptr || markov == file.tensors().end() ||
      markov->second.shape.size() != 2) {
    return bad(Code::kCorrupt,
               "block_count, block_size, target_layers, mask_token_id or markov_w1 is missing");
  }
  Json config = Json::parse(config_json);
  // An MTP block that the model's file brought gives way.
  std::erase_if(tensors, [](const auto& t) { return t.first.starts_with("mtp."); });
  Json& ratios = config["compress_ratios"];
  while (ratios.size() > config["num_hidden_layers"].get<std::size_t>())
    ratios.erase(ratios.size() - 1);
  for (std::int64_t s = 0; s < *stages; ++s) ratios.push_back(0);
  config["dspark_block_size"] = *size;
  config["dspark_noise_token_id"] = *noise;
  config["dspark_markov_rank"] = markov->second.shape.back();
  config["dspark_target_layer_ids"] = Json::array();
  // There the layer that a tap is the input of, here the one whose output it is.
  for (const std::int64_t tap : *taps) config["dspark_target_layer_ids"].push_back(tap - 1);
  config_json = config.dump();

  const auto last = static_cast<std::size_t>(*stages) - 1;
  for (const auto& [name, tensor] : file.tensors()) {
    if (name == "token_embd.weight" || name == "output.weight") continue;  // the model's own
    const auto* loose = std::find_if(kLoose.begin(), kLoose.end(),
                                     [&n = name](const Loose& l) { return l.gguf == n; });
    if (loose != kLoose.end()) {
      Tensor t = tensor;
      // One row: writers of GGUF may leave its length of one out.
      if (loose->gguf == "conf_proj.weight" && t.shape.size() == 1)
        t.shape.insert(t.shape.begin(), 1);
      tensors.insert_or_assign(stage(loose->first ? 0 : last) + std::string(loose->released), t);
      continue;
    }
    std::size_t block = 0;
    const char* end = name.data() + name.size();
    const auto [dot, error] = name.starts_with("blk.")
                                  ? std::from_chars(name.data() + 4, end, block)
                                  : std::from_chars_result{end, std::errc::invalid_argument};
    if (error != std::errc() || dot == end || *dot != '.' || block > last) {
      return bad(Code::kUnsupported, "tensor " + name + " is unknown");
    }
    AMBIT_CHECK_OK(add_gguf_block_tensor(name, {dot + 1, end}, tensor, stage(block), tensors));
  }
  return {};
}

std::string gguf_dspark_name(std::string_view released, std::size_t stages) {
  for (const Loose& l : kLoose) {
    if (released == stage(l.first ? 0 : stages - 1) + std::string(l.released)) {
      return std::string(l.gguf);
    }
  }
  std::string name = gguf_name(released);
  if (name.starts_with("mtp.")) name.replace(0, 3, "blk");
  return name;
}

}  // namespace ambit::inference
