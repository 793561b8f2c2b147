// Any bytes are a safetensors or GGUF file or a clear refusal; what is accepted can be read to the
// last byte, and bound to a model or refused.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>

#include "inference/weights/binding.h"
#include "inference/weights/gguf.h"
#include "inference/weights/gguf_dspark.h"
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
    const auto config = gguf_config(*file);
    auto tensors = gguf_tensors(*file);
    if (!config) fuzz::require_clear(config.error());
    if (!tensors) fuzz::require_clear(tensors.error());
    if (!config || !tensors) return 0;
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
  // A drafter in llama.cpp's naming, in the least that is read to its end.
  GgufWriter w;
  w.text("general.architecture", "dflash");
  for (const char* key : {"hyper_connection.count", "block_count", "block_size"}) {
    w.number(std::string("dflash.") + key, 1);
  }
  w.numbers("dflash.target_layers", {1});
  w.number("tokenizer.ggml.mask_token_id", 1);
  for (const char* name : {"markov_w1.weight", "conf_proj.weight", "blk.0.attn_q_a.weight"}) {
    w.add({.name = name, .shape = {1, 1}, .parts = {[] { return std::string(4, '1'); }}});
  }
  const auto file = std::filesystem::temp_directory_path() /
                    ("ambit-dspark-seed-" + std::to_string(::getpid()) + ".gguf");
  if (w.write(file)) {
    std::ifstream in(file, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  std::filesystem::remove(file);
  return out;
}
