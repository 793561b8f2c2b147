// A checkpoint's weights on the device: the same slots as on the host, pointing into device memory,
// and the experts.
#pragma once

#include <memory>
#include <vector>

#include "daemon/support/result.h"
#include "inference/device/expert_store.h"

namespace ambit::inference {

struct DeviceWeights {
  // files, floats and tables are empty: nothing of the host.
  ModelWeights slots;
  std::unique_ptr<ExpertStore> experts;  // of the backbone's layers, then of the MTP blocks
  std::uint64_t device_bytes = 0;        // of `buffers`
  std::vector<DeviceBuffer> buffers;
};

// kUnsupported, by name, when a kernel does not serve a shape or format of this checkpoint
// (drafts: with its draft blocks).
[[nodiscard]] Result<void> check_device_model(const ModelConfig& config,
                                              const ModelWeights& weights, bool drafts);

// Copies everything; drafts: also the draft blocks. budget_bytes: of device memory for weights;
// what does not fit of the routed experts goes to pinned host memory, or stays where it is for the
// CPU (setup). kResourceExhausted, with the sizes, when even the rest does not fit.
[[nodiscard]] Result<DeviceWeights> upload_weights(Device& device, const ModelConfig& config,
                                                   const ModelWeights& weights, bool drafts,
                                                   std::uint64_t budget_bytes,
                                                   const ExpertSetup& setup);

}  // namespace ambit::inference
