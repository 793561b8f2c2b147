// A checkpoint on disk, whatever its container: the official configuration, the tensors under their
// released names (design notes section 4), and the tokenizer that belongs to it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/support/result.h"
#include "inference/model_config.h"
#include "inference/weights/tensor.h"

namespace ambit::inference {

class Tokenizer;

struct Checkpoint {
  std::string format;       // "safetensors", "gguf"
  std::string config_json;  // in the form of the official config.json
  ModelConfig config;
  TensorMap tensors;  // views of `files`
  std::uint64_t bytes = 0;
  std::shared_ptr<const void> files;
};

// path: a folder with config.json and safetensors, one safetensors file beside its config.json, a
// .gguf file of arch deepseek4 (the first part of a split one), or a folder that holds nothing but
// such. Errors: kNotFound, kCorrupt, kUnsupported, each with the tensor or key that is wrong.
[[nodiscard]] Result<Checkpoint> open_checkpoint(const std::filesystem::path& path);

// The configuration alone: cheap.
[[nodiscard]] Result<std::string> checkpoint_config(const std::filesystem::path& path);

// tokenizer.json beside the weights when there is one, else the vocabulary inside a GGUF file.
[[nodiscard]] Result<std::shared_ptr<const Tokenizer>> checkpoint_tokenizer(
    const std::filesystem::path& path);

}  // namespace ambit::inference
