// Any bytes are a safetensors or GGUF file or a clear refusal; what is accepted can be read to the
// last byte, and bound to a model or refused.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>

#include "inference/weights/binding.h"
#include "inference/weights/gguf.h"
#include "inference/weights/gguf_dspark.h"
#include "inference/weights/gguf_mtp.h"
#include "inference/weights/gguf_names.h"
#include "inference/weights/gguf_writer.h"
#include "inference/weights/names.h"
#include "inference/weights/safetensors.h"
#include "tests/fuzz/plain_main.h"
#include "tests/fuzz/readers.h"

namespace {

using namespace ambit;
using namespace ambit::inference;

// Touches every byte that a tensor claims.
std::uint64_t sum(const TensorMap& tensors) {
  std::uint64_t total = 0;
  for (const auto& [name, t] : tensors) {
    for (const std::byte b : t.data) total += static_cast<std::uint64_t>(b);
    fuzz::require(t.elements() >= 0, "a tensor has no negative size");
  }
  return total;
}

std::string config_of_small() {
  std::ifstream in(AMBIT_SOURCE_DIR "/tests/golden/gguf/small/config.json");
  return {std::istreambuf_iterator<char>(in), {}};
}

void bind(Checkpoint checkpoint) {
  if (const auto weights = bind_weights(checkpoint); !weights) fuzz::require_clear(weights.error());
}

// The file with tensors [1, 2] of these names.
std::string written(GgufWriter& w, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    w.add({.name = name, .shape = {1, 2}, .parts = {[] { return std::string(8, '1'); }}});
  }
  const auto file = fuzz::file_with(nullptr, 0, "seed.gguf");
  if (!w.write(file)) return {};
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

volatile std::uint64_t sink = 0;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bool gguf = size >= 4 && std::equal(data, data + 4, "GGUF");
  if (gguf) {
    const auto file = Gguf::open(fuzz::file_with(data, size, "input.gguf"));
    if (!file) {
      fuzz::require_clear(file.error());
      return 0;
    }
    sink = sink + sum(file->tensors());
    {
      std::string with_drafter = config_of_small();
      TensorMap drafter;
      const auto added = add_gguf_dspark(*file, "input.gguf", with_drafter, drafter);
      if (!added) fuzz::require_clear(added.error());
      const auto parsed = ModelConfig::parse(with_drafter);
      if (!parsed) fuzz::require_clear(parsed.error());
      sink = sink + sum(drafter);
    }
    {
      std::string with_block = config_of_small();
      TensorMap block;
      const auto added = add_gguf_mtp(*file, "input.gguf", with_block, block);
      if (!added) fuzz::require_clear(added.error());
      const auto owner = split_projections(block);
      if (!owner) fuzz::require_clear(owner.error());
      sink = sink + sum(block);
    }
    const auto config = gguf_config(*file);
    auto tensors = gguf_tensors(*file);
    if (!config) fuzz::require_clear(config.error());
    if (!tensors) fuzz::require_clear(tensors.error());
    if (!config || !tensors) return 0;
    const auto owner = split_projections(*tensors);
    if (!owner) {
      fuzz::require_clear(owner.error());
      return 0;
    }
    sink = sink + sum(*tensors);
    Checkpoint c;
    auto parsed = ModelConfig::parse(*config);
    if (!parsed) {
      fuzz::require_clear(parsed.error());
      return 0;
    }
    c.config = std::move(*parsed);
    c.tensors = std::move(*tensors);
    bind(std::move(c));
    return 0;
  }
  const auto file = Safetensors::open(fuzz::file_with(data, size, "input.safetensors"));
  if (!file) {
    fuzz::require_clear(file.error());
    return 0;
  }
  sink = sink + sum(file->tensors());
  auto tensors = with_released_names(file->tensors());
  if (!tensors) {
    fuzz::require_clear(tensors.error());
    return 0;
  }
  sink = sink + sum(*tensors);
  static const auto config = ModelConfig::parse(config_of_small());
  Checkpoint c;
  c.config = *config;
  c.tensors = std::move(*tensors);
  bind(std::move(c));
  return 0;
}

std::vector<std::string> ambit::fuzz::seeds() {
  std::vector<std::string> out;
  for (const char* name : {"small.gguf", "small/model.safetensors"}) {
    std::ifstream in(std::string(AMBIT_SOURCE_DIR "/tests/golden/gguf/") + name, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  out.emplace_back(std::string("\x3a\0\0\0\0\0\0\0", 8) +
                   R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}     1234)");
  out.emplace_back(std::string("\x40\0\0\0\0\0\0\0", 8) +
                   R"({"a":{"dtype":"I64","shape":[9223372036854775807,4],"data_offset)");
  // A drafter and an MTP block in llama.cpp's naming, in the least that is read to its end.
  GgufWriter dspark;
  dspark.text("general.architecture", "dflash");
  for (const char* key : {"hyper_connection.count", "block_count", "block_size"}) {
    dspark.number(std::string("dflash.") + key, 1);
  }
  dspark.numbers("dflash.target_layers", {1});
  dspark.number("tokenizer.ggml.mask_token_id", 1);
  out.push_back(written(dspark, {"markov_w1.weight", "conf_proj.weight", "blk.0.attn_q_a.weight"}));
  GgufWriter mtp;
  mtp.text("general.architecture", "deepseek4");
  mtp.number("deepseek4.block_count", 2);
  mtp.number("deepseek4.nextn_predict_layers", 1);
  out.push_back(written(mtp, {"blk.1.nextn.eh_proj.weight", "blk.1.nextn.enorm.weight",
                              "output_hc_fn.weight", "blk.1.attn_q_a.weight"}));
  return out;
}
