// What a checkpoint holds, from its headers: no weights are read.
#pragma once

#include <filesystem>
#include <string>

#include "daemon/support/result.h"

namespace ambit::daemon {

// path: as Safetensors::open. The configuration, tensors, bytes by dtype, quantisation, tokenizer
// and the ids of the special tokens, as one JSON document or as lines for people. A checkpoint
// without a tokenizer has "tokenizer": null. Ends in a newline.
[[nodiscard]] Result<std::string> model_info(const std::filesystem::path& path, bool json);

}  // namespace ambit::daemon
