// Drafts of the model's own blocks on the device (model/dspark.h, model/mtp.h).
#pragma once

#include "inference/device/device_pages.h"
#include "inference/device/device_pass.h"
#include "inference/device/step_graphs.h"

namespace ambit::inference {

class DeviceDrafts {
 public:
  // Of the card with the draft blocks, the `card`th. All must outlive it. graphs: forgotten when
  // the upload's room moves.
  DeviceDrafts(std::size_t card, DevicePass& pass, UploadRoom& room, StepGraphs& graphs,
               float least_confidence)
      : card_(card),
        pass_(pass),
        device_(pass.device()),
        room_(room),
        graphs_(graphs),
        least_confidence_(least_confidence) {}

  // DSpark's confidence head, [dim + rank], which the host computes.
  void set_confidence(std::span<const float> weights) {
    confidence_.assign(weights.begin(), weights.end());
  }

  // As StepModel::propose(), but the cache is left extended.
  [[nodiscard]] Result<void> dspark(KvCache& cache, TokenId next, std::size_t count,
                                    std::vector<TokenId>& out);
  [[nodiscard]] Result<void> mtp(KvCache& cache, TokenId next, std::size_t count,
                                 std::vector<TokenId>& out);

 private:
  std::size_t card_;
  DevicePass& pass_;
  Device& device_;
  UploadRoom& room_;
  StepGraphs& graphs_;
  float least_confidence_;
  std::vector<float> confidence_;
  DeviceBuffer drafted_;  // pinned: what a draft's confidence is made of
};

}  // namespace ambit::inference
