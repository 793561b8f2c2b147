// The DSpark drafter of a model in GGUF. llama.cpp keeps it in a file of its own, arch `dflash`:
// the stages are its blocks; what belongs to all of them has no number. Embedding and head are the
// model's.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "daemon/support/result.h"
#include "inference/weights/gguf.h"
#include "inference/weights/tensor.h"

namespace ambit::inference {

// Whether such a file is called so: "-dspark" is in its name, in letters of either case.
[[nodiscard]] bool is_dspark_name(const std::filesystem::path& file);

// The drafter's file that belongs to a model's: beside it, and what stands before "-dspark" begins
// the model's name too, as V4-Flash-0731-DSpark.gguf does beside V4-Flash-0731-MXFP4.gguf. Of
// several the one that has more in common.
[[nodiscard]] std::optional<std::filesystem::path> find_gguf_dspark(
    const std::filesystem::path& model);

// Where Ambit writes it: MODEL-dspark.gguf.
[[nodiscard]] std::filesystem::path gguf_dspark_file(const std::filesystem::path& model);

// Adds the drafter to a model: its settings to config_json, its tensors under the released names,
// views of the file. kUnsupported for a file that is something else.
[[nodiscard]] Result<void> add_gguf_dspark(const Gguf& file, const std::filesystem::path& path,
                                           std::string& config_json, TensorMap& tensors);

// The name of a released tensor of the drafter of `stages` stages (of the stack, for an expert's);
// empty when it has none.
[[nodiscard]] std::string gguf_dspark_name(std::string_view released, std::size_t stages);

}  // namespace ambit::inference
