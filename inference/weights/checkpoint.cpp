#include "inference/weights/checkpoint.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/support/file.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/weights/gguf.h"
#include "inference/weights/gguf_dspark.h"
#include "inference/weights/gguf_mtp.h"
#include "inference/weights/gguf_names.h"
#include "inference/weights/gguf_sidecar.h"
#include "inference/weights/names.h"
#include "inference/weights/safetensors.h"

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLongestConfig = std::uint64_t{16} << 20U;

bool is_gguf(const fs::path& path) {
  return path.extension() == ".gguf";
}

fs::path folder_of(const fs::path& path) {
  std::error_code ec;
  return fs::is_directory(path, ec) ? path : path.parent_path();
}

// The GGUF file that `path` means; nothing when it means safetensors.
Result<std::optional<fs::path>> gguf_of(const fs::path& path) {
  std::error_code ec;
  if (!fs::exists(path, ec)) {
    return make_error(Code::kNotFound, "there is no checkpoint at " + path.string());
  }
  if (!fs::is_directory(path, ec)) {
    return is_gguf(path) ? std::optional<fs::path>(path) : std::nullopt;
  }
  if (fs::exists(path / "config.json", ec)) return std::optional<fs::path>();
  std::vector<fs::path> found;
  for (fs::directory_iterator i(path, ec), end; !ec && i != end; i.increment(ec)) {
    const std::string name = i->path().filename().string();
    const auto of = name.rfind("-of-");
    const bool later_part = of != std::string::npos && of >= 5 && name.substr(of - 5, 5) != "00001";
    if (is_gguf(i->path()) && !later_part && !is_sidecar_name(i->path())) {
      found.push_back(i->path());
    }
  }
  if (found.empty()) return std::optional<fs::path>();
  if (found.size() > 1) {
    std::sort(found.begin(), found.end());
    return make_error(
        Code::kInvalidArgument,
        path.string() + " holds several models; name one, such as " + found.front().string());
  }
  return std::optional<fs::path>(found.front());
}

// config.json of a safetensors checkpoint.
Result<std::string> released_config(const fs::path& path) {
  const fs::path file = folder_of(path) / "config.json";
  std::error_code ec;
  if (!fs::exists(file, ec)) {
    return make_error(Code::kNotFound,
                      path.string() +
                          " is no checkpoint: that is a .gguf file, or a folder with config.json "
                          "and safetensors");
  }
  return read_file(file, kLongestConfig);
}

using Keeper = std::shared_ptr<const void>;

// Both stay open as long as the result.
template <class T>
Keeper together(Keeper a, T b) {
  return std::make_shared<std::pair<Keeper, T>>(std::move(a), std::move(b));
}

// The file of the draft blocks that is beside a model's, if there is one: its settings and tensors
// are added to the model's.
Result<std::optional<Gguf>> add_draft_blocks(const fs::path& model, std::string& config_json,
                                             TensorMap& tensors) {
  for (const auto& [kind, add] :
       {std::pair(Sidecar::kDspark, &add_gguf_dspark), std::pair(Sidecar::kMtp, &add_gguf_mtp)}) {
    const auto path = find_sidecar(model, kind);
    if (!path) continue;
    AMBIT_TRY(file, Gguf::open(*path));
    AMBIT_CHECK_OK(add(file, *path, config_json, tensors));
    return std::optional<Gguf>(std::move(file));
  }
  return std::optional<Gguf>();
}

}  // namespace

Result<Checkpoint> open_checkpoint(const fs::path& path) {
  Checkpoint c;
  AMBIT_TRY(gguf, gguf_of(path));
  if (gguf) {
    AMBIT_TRY(opened, Gguf::open(*gguf));
    auto file = std::make_shared<Gguf>(std::move(opened));
    c.format = "gguf";
    AMBIT_TRY(config, gguf_config(*file));
    c.config_json = std::move(config);
    AMBIT_TRY(tensors, gguf_tensors(*file));
    c.tensors = std::move(tensors);
    c.bytes = file->bytes();
    c.files = std::move(file);
    AMBIT_TRY(drafts, add_draft_blocks(*gguf, c.config_json, c.tensors));
    if (drafts) {
      c.bytes += drafts->bytes();
      c.files = together(std::move(c.files), std::move(*drafts));
    }
    AMBIT_TRY(projections, split_projections(c.tensors));
    c.files = together(std::move(c.files), std::move(projections));
  } else {
    c.format = "safetensors";
    AMBIT_TRY(text, released_config(path));
    c.config_json = std::move(text);
    AMBIT_TRY(opened, Safetensors::open(path));
    auto file = std::make_shared<Safetensors>(std::move(opened));
    AMBIT_TRY(tensors, with_released_names(file->tensors()));
    c.tensors = std::move(tensors);
    c.bytes = file->bytes();
    c.files = std::move(file);
  }
  AMBIT_TRY(config, ModelConfig::parse(c.config_json));
  c.config = std::move(config);
  return c;
}

Result<std::string> checkpoint_config(const fs::path& path) {
  AMBIT_TRY(gguf, gguf_of(path));
  if (!gguf) return released_config(path);
  AMBIT_TRY(file, Gguf::open(*gguf));
  AMBIT_TRY(config, gguf_config(file));
  TensorMap unused;
  AMBIT_CHECK_OK(add_draft_blocks(*gguf, config, unused));
  return config;
}

Result<std::shared_ptr<const Tokenizer>> checkpoint_tokenizer(const fs::path& path) {
  std::error_code ec;
  const fs::path beside = folder_of(path) / "tokenizer.json";
  AMBIT_TRY(gguf, gguf_of(path));
  if (!gguf || fs::exists(beside, ec)) return Tokenizer::load(beside);
  AMBIT_TRY(file, Gguf::open(*gguf));
  const auto* tokens = file.get<std::vector<std::string>>("tokenizer.ggml.tokens");
  const auto* merges = file.get<std::vector<std::string>>("tokenizer.ggml.merges");
  const auto* pre = file.get<std::string>("tokenizer.ggml.pre");
  if (tokens == nullptr || merges == nullptr || pre == nullptr) {
    return make_error(Code::kNotFound, gguf->filename().string() +
                                           " holds no byte-level vocabulary; put the model's "
                                           "tokenizer.json beside it");
  }
  std::vector<std::int32_t> types;
  if (const auto* wide = file.get<std::vector<std::int64_t>>("tokenizer.ggml.token_type")) {
    types.assign(wide->begin(), wide->end());
  }
  return Tokenizer::from_gguf(*tokens, *merges, types, *pre);
}

}  // namespace ambit::inference
