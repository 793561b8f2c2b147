// One card's share of a checkpoint's weights: the same slots as on the host, pointing into device
// memory, and the experts.
#pragma once

#include <memory>
#include <vector>

#include "daemon/support/result.h"
#include "inference/device/expert_store.h"
#include "inference/layer_split.h"

namespace ambit::inference {

// Layers of the backbone; with `first` the embedding, with `last` head and draft blocks, which
// bring the embedding along.
struct WeightShare {
  LayerRange layers;
  bool first = true, last = true;
};

struct DeviceWeights {
  WeightShare share;
  // layers: those of the share alone. files, floats and tables are empty: nothing of the host.
  ModelWeights slots;
  std::unique_ptr<ExpertStore> experts;  // of the share's layers, then of the draft blocks
  std::uint64_t device_bytes = 0;        // of `buffers`
  std::vector<DeviceBuffer> buffers;
};

// kUnsupported, by name, when a kernel does not serve a shape or format of this checkpoint
// (drafts: with its draft blocks).
[[nodiscard]] Result<void> check_device_model(const ModelConfig& config,
                                              const ModelWeights& weights, bool drafts);

// Bytes on cards.
struct WeightSizes {
  std::vector<std::uint64_t> layers;  // of the backbone, experts included
  std::uint64_t first = 0, last = 0;  // beside them, on the first and on the last card
  std::uint64_t last_alone = 0;       // on a last card that is not the first
};
[[nodiscard]] WeightSizes weight_sizes(const ModelConfig& config, const ModelWeights& weights,
                                       bool drafts);

// Copies a share; drafts: with the draft blocks. budget_bytes: of device memory for weights; what
// does not fit of the routed experts goes to pinned host memory, or stays where it is for the CPU
// (setup). kResourceExhausted, with the sizes, when even the rest does not fit.
[[nodiscard]] Result<DeviceWeights> upload_weights(Device& device, const ModelConfig& config,
                                                   const ModelWeights& weights, bool drafts,
                                                   const WeightShare& share,
                                                   std::uint64_t budget_bytes,
                                                   const ExpertSetup& setup);

}  // namespace ambit::inference
