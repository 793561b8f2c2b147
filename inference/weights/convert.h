// Checkpoints from one container to the other, value for value: FP8 matrices become BF16 and FP4
// ones MXFP4 on the way to GGUF, both without loss; block formats of GGUF files become FP4 (MXFP4)
// or F32 on the way to safetensors. Draft blocks go to a GGUF file of their own
// (gguf_sidecar.h), as llama.cpp makes it. Nothing is held in memory but one tensor.
#pragma once

#include <filesystem>
#include <string>

#include "daemon/support/result.h"

namespace ambit::inference {

enum class Container : std::uint8_t { kSafetensors, kGguf };

struct Conversion {
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;  // of the files that were written
  std::string left_out;     // one line for people, empty when everything was converted
};

// in: as open_checkpoint takes it. out: a .gguf file, or a folder that gets model.safetensors,
// config.json and tokenizer.json; never overwritten. Errors: of the reader, kInvalidArgument (out
// exists), kUnsupported (a shape that the container cannot hold), kIo.
[[nodiscard]] Result<Conversion> convert_checkpoint(const std::filesystem::path& in,
                                                    const std::filesystem::path& out, Container to);

}  // namespace ambit::inference
