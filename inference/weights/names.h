// Other people's tensor names to the released ones (design notes section 4.4): the transformers
// library's naming with its stacked experts, an optional `model.` in front, the older part names
// (self_attn, mlp, weight_scale_inv). Data is never copied: a piece of a stack is a view of it.
#pragma once

#include <cstddef>
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

// Whether t is a stack of matrices that may be cut: [n, rows, cols], not empty, and n no more than
// a model can have experts. A few bytes of a hostile header must not become names without end.
[[nodiscard]] bool is_stack(const Tensor& t);
// More than any model has; readers give up there.
inline constexpr std::size_t kMostTensors = std::size_t{1} << 22U;

}  // namespace ambit::inference
