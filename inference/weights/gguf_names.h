// What a GGUF file of arch `deepseek4` means (design notes section 5): its keys as the official
// configuration, its tensors under the released names. Both spellings in use are read: llama.cpp's
// and ds4's. An MTP block mostly lies in a file of its own (gguf_mtp.h): llama.cpp has it behind
// the last layer, `nextn_predict_layers` of them, ds4 behind `mtp.0.`. Other blocks behind the last
// layer are left out.
#pragma once

#include <string>
#include <string_view>

#include "daemon/support/result.h"
#include "inference/weights/gguf.h"
#include "inference/weights/tensor.h"

namespace ambit::inference {

// In the form of config.json. kUnsupported for another architecture, another routing function, or
// a clamp that differs between layers; kCorrupt names the key that is missing.
[[nodiscard]] Result<std::string> gguf_config(const Gguf& file);

// Stacks of experts come cut into experts; all are views. An MTP block that has a head for its
// streams comes as `mtp.0.`, its two projections still in one as `mtp.0.eh_proj.weight` when they
// are so in the file (split_projections). kUnsupported for a name that is not known.
[[nodiscard]] Result<TensorMap> gguf_tensors(const Gguf& file);

// One tensor of a block: `part` is what follows the block's number in its name, `at` the block
// under the released names ("mtp.0."). A stack comes cut.
[[nodiscard]] Result<void> add_gguf_block_tensor(const std::string& name, std::string_view part,
                                                 const Tensor& tensor, const std::string& at,
                                                 TensorMap& out);

// And back, in llama.cpp's spelling: the name of a released tensor (of the stack, for an expert's),
// empty when it has none.
[[nodiscard]] std::string gguf_name(std::string_view released);

}  // namespace ambit::inference
