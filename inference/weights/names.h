// Other people's tensor names to the released ones (design notes section 4.4): the transformers
// library's naming with its stacked experts, an optional `model.` in front, the older part names
// (self_attn, mlp, weight_scale_inv). Data is never copied: a piece of a stack is a view of it.
#pragma once

#include <string>
#include <string_view>

#include "daemon/support/result.h"
#include "inference/weights/tensor.h"

namespace ambit::inference {

// The released name; a released name is its own. Names of stacked experts come back translated up
// to the stack ("layers.0.ffn.experts.gate_up_proj").
[[nodiscard]] std::string released_name(std::string_view name);

// All tensors under their released names, stacks cut into experts. Errors: a stack whose shape
// cannot be cut, two names for one tensor (kCorrupt).
[[nodiscard]] Result<TensorMap> with_released_names(const TensorMap& tensors);

}  // namespace ambit::inference
