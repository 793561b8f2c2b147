// The metadata of a GGUF file that Ambit writes: the keys that llama.cpp gives its own.
#pragma once

#include <filesystem>
#include <string_view>

#include "daemon/support/result.h"
#include "inference/model_config.h"
#include "inference/weights/gguf_writer.h"

namespace ambit::inference {

inline constexpr std::string_view kGgufArch = "deepseek4";
inline constexpr std::string_view kGgufDsparkArch = "dflash";

enum class GgufContent : std::uint8_t { kModel, kDspark, kMtp };

// The keys of `config`, and the vocabulary of the tokenizer.json in the folder of `path` (none when
// there is none). kCorrupt for a tokenizer.json that is none.
[[nodiscard]] Result<void> write_gguf_metadata(const ModelConfig& config,
                                               const std::filesystem::path& path,
                                               GgufContent content, GgufWriter& writer);

}  // namespace ambit::inference
