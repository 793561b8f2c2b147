// The MTP block of a GGUF model, in the file of its own that llama.cpp's converter makes: the arch
// and keys of the model, the block alone behind the layers that are not there, the head of its
// streams under the name of the model's, and the model's embedding, norm and head once more, which
// are not read. ds4's form, `mtp.0.` before every name, is read too.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/support/result.h"
#include "inference/weights/gguf.h"
#include "inference/weights/tensor.h"

namespace ambit::inference {

// Adds the block to a model: its ratio to config_json, its tensors as gguf_tensors names them,
// views of the file. kUnsupported for a file without one.
[[nodiscard]] Result<void> add_gguf_mtp(const Gguf& file, const std::filesystem::path& path,
                                        std::string& config_json, TensorMap& tensors);

// llama.cpp keeps the block's two projections as one, a row of the first before the row of the
// second: cuts `mtp.0.eh_proj.weight` into e_proj and h_proj. Returns what owns their bytes; null
// when there is nothing to cut. kCorrupt for rows that have no middle.
[[nodiscard]] Result<std::shared_ptr<const void>> split_projections(TensorMap& tensors);

// The name of a released tensor of the block (of the stack, for an expert's) behind `layers`
// layers; empty when it has none, as the two projections.
[[nodiscard]] std::string gguf_mtp_name(std::string_view released, std::size_t layers);

}  // namespace ambit::inference
