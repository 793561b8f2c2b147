// The whole graph on a graphics card: the same tokens in and logits out as model.h, through the
// table of libambit_cuda.so. Weights and state lie on the card; a step is one upload of its tokens
// and page addresses, a run of kernels without any wait between them, and one download of logits.
//
// Numerics: plain and release are what they are on the CPU (model/step.h); fast is release, since
// rounded inputs are what the matrix units want. Bits differ from the CPU's, but like there they do
// not depend on chunks, batch mates, forks or restores.
//
// Memory: pages take at most state_bytes of the card; a step for which no page is left answers
// kResourceExhausted. After any error the model answers every step with it.
#pragma once

#include <filesystem>
#include <memory>

#include "inference/device/library.h"
#include "inference/model/model.h"

namespace ambit::inference {

struct DeviceOptions {
  Numerics numerics = Numerics::kFast;
  bool mtp = true;                // with the draft blocks, if the checkpoint has some
  float least_confidence = 0.5F;  // of DSpark's drafts, as ModelOptions has it
  // Of the card's memory: for pages of state (0: twice default_state_bytes() of plan.h), at most a
  // quarter of what is free; for weights (0: the rest, less what a step of most_rows() needs).
  std::uint64_t state_bytes = std::uint64_t{1} << 30U;
  std::uint64_t weights_bytes = 0;
  // Routed experts that do not fit the card are computed by the CPU (cold_experts.h), on so many
  // threads (0: one a core), and not read by the card over the bus.
  bool cpu_experts = false;
  unsigned threads = 0;
  // Where what tokens choose is kept over restarts; empty: nowhere. One process at a time.
  std::filesystem::path state_directory{};
};

// The checkpoint at `path` on the card. Errors: the checkpoint reader's; kUnavailable without a
// card or library; kUnsupported for shapes that no kernel serves; kResourceExhausted when it does
// not fit.
[[nodiscard]] Result<std::unique_ptr<StepModel>> open_device_model(
    const std::filesystem::path& path, const DeviceOptions& options);

}  // namespace ambit::inference
