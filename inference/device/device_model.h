// The whole graph on one or more graphics cards: the same tokens in and logits out as model.h,
// through the table of libambit_cuda.so. Weights and state lie on the cards, layers split among
// them (layout.h); a step is one upload a card of its tokens and page addresses, a run of kernels
// without any wait of the host between them (pipeline.h), and one download of logits.
//
// Numerics: plain and release are what they are on the CPU (model/step.h); fast is release, since
// rounded inputs are what the matrix units want. Bits differ from the CPU's, but like there they do
// not depend on chunks, batch mates, forks or restores, nor on how many cards of one kind compute.
//
// Memory: pages take at most state_bytes of the cards; a step for which no page is left answers
// kResourceExhausted. After any error the model answers every step with it.
#pragma once

#include <filesystem>
#include <memory>

#include "inference/device/device_options.h"
#include "inference/device/library.h"
#include "inference/model/model.h"

namespace ambit::inference {

// The checkpoint at `path` on the cards. Errors: the checkpoint reader's; lay_out()'s; kUnavailable
// without a card or library; kUnsupported for shapes that no kernel serves; kResourceExhausted when
// it does not fit.
[[nodiscard]] Result<std::unique_ptr<StepModel>> open_device_model(
    const std::filesystem::path& path, const DeviceOptions& options);

}  // namespace ambit::inference
