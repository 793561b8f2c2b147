#include "inference/weights/gguf_mtp.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "inference/weights/gguf_names.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kAt = "mtp.0.";

// What does not belong to the block as every other one has it: in a block of its own, or of the
// whole file.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kNextn = {{
    {"enorm.weight", "nextn.enorm.weight"},
    {"hnorm.weight", "nextn.hnorm.weight"},
    {"norm.weight", "nextn.shared_head_norm.weight"},
}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kHead = {{
    {"hc_head_fn", "output_hc_fn.weight"},
    {"hc_head_base", "output_hc_base.weight"},
    {"hc_head_scale", "output_hc_scale.weight"},
}};

}  // namespace

Result<void> add_gguf_mtp(const Gguf& file, const std::filesystem::path& path,
                          std::string& config_json, TensorMap& tensors) {
  AMBIT_TRY(own, gguf_tensors(file));
  if (!own.contains("mtp.0.enorm.weight")) {
    return make_error(Code::kUnsupported,
                      path.filename().string() +
                          ": this holds no MTP block of DeepSeek-V4; move it away, or take the MTP "
                          "file of this model");
  }
  const bool has_head = own.contains("mtp.0.hc_head_fn");
  for (auto& [name, tensor] : own) {
    if (name.starts_with(kAt)) {
      tensors.insert_or_assign(name, tensor);
    } else if (!has_head && name.starts_with("hc_head_")) {
      tensors.insert_or_assign(std::string(kAt) + name, tensor);
    }
  }
  Json config = Json::parse(config_json);
  // One that the model's own file brought has its ratio.
  Json& ratios = config["compress_ratios"];
  if (ratios.size() == config["num_hidden_layers"].get<std::size_t>()) ratios.push_back(0);
  config_json = config.dump();
  return {};
}

Result<std::shared_ptr<const void>> split_projections(TensorMap& tensors) {
  const auto both = tensors.find("mtp.0.eh_proj.weight");
  if (both == tensors.end()) return std::shared_ptr<const void>();
  const Tensor& t = both->second;
  const std::int64_t rows = t.shape.size() == 2 ? t.shape[0] : 0;
  const std::int64_t cols = rows > 0 ? t.shape[1] : 0;
  const std::size_t half = rows > 0 ? t.data.size() / static_cast<std::size_t>(rows) / 2 : 0;
  // Of whole blocks, where the format has such.
  const std::int64_t unit = t.type == TensorType::kBlocks
                                ? static_cast<std::int64_t>(ops::block_shape(t.blocks).values)
                                : 1;
  if (rows <= 0 || cols <= 0 || cols % (2 * unit) != 0) {
    return make_error(Code::kCorrupt,
                      "tensor nextn.eh_proj.weight is no two projections side by side; take "
                      "another file of the MTP block");
  }
  auto bytes = std::make_shared<std::vector<std::byte>>(t.data.size());
  Tensor one = t;
  one.shape[1] = cols / 2;
  for (const std::size_t which : {0U, 1U}) {
    std::byte* to = bytes->data() + which * bytes->size() / 2;
    one.data = {to, bytes->size() / 2};
    for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
      const auto from = t.data.subspan((2 * r + which) * half, half);
      std::copy(from.begin(), from.end(), to + r * half);
    }
    tensors.insert_or_assign(which == 0 ? "mtp.0.e_proj.weight" : "mtp.0.h_proj.weight", one);
  }
  tensors.erase(both);
  return std::shared_ptr<const void>(std::move(bytes));
}

std::string gguf_mtp_name(std::string_view released, std::size_t layers) {
  if (!released.starts_with(kAt)) return {};
  const std::string_view part = released.substr(kAt.size());
  const std::string block = "blk." + std::to_string(layers) + ".";
  for (const auto& [from, to] : kHead) {
    if (part == from) return std::string(to);
  }
  for (const auto& [from, to] : kNextn) {
    if (part == from) return block + std::string(to);
  }
  const std::string other = gguf_name(released);
  return other.empty() ? other : block + other.substr(kAt.size());
}

}  // namespace ambit::inference
