// The DSpark drafter of a model in GGUF. llama.cpp keeps it in a file of its own, arch `dflash`:
// the stages are its blocks; what belongs to all of them has no number. Embedding and head are the
// model's.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "daemon/support/result.h"
#include "inference/weights/gguf.h"
#include "inference/weights/tensor.h"

namespace ambit::inference {

// Adds the drafter to a model: its settings to config_json, its tensors under the released names,
// views of the file. kUnsupported for a file that is something else.
[[nodiscard]] Result<void> add_gguf_dspark(const Gguf& file, const std::filesystem::path& path,
                                           std::string& config_json, TensorMap& tensors);

// The name of a released tensor of the drafter of `stages` stages (of the stack, for an expert's);
// empty when it has none.
[[nodiscard]] std::string gguf_dspark_name(std::string_view released, std::size_t stages);

}  // namespace ambit::inference
