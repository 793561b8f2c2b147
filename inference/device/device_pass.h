// The launches of one card's share of a step: embedding, blocks, the draft blocks, logits.
#pragma once

#include "inference/device/step_rows.h"

namespace ambit::inference {

// Which rows of a step get logits, and what becomes of them: they go to the host, or tokens are
// chosen by them and only those go.
struct DeviceLogits {
  std::size_t n = 0;
  const std::int32_t* rows = nullptr;      // [n], device memory: rows of the step
  float* host = nullptr;                   // [n, vocab]
  const std::int32_t* mtp_rows = nullptr;  // [n]: of the MTP block's, -1: none. Null: no logits
  float* mtp_host = nullptr;
  const ops::SampleRow* choices = nullptr;  // [n], device memory; null: `host` gets logits
  const std::uint32_t* masks = nullptr;     // device memory
  ops::Sampled* chosen = nullptr;           // [n], of the host
};

class DevicePass {
 public:
  // All must outlive it. `weights` are those that upload() gives later.
  DevicePass(Device& device, DeviceScratch& scratch, const ModelConfig& config,
             const StateShape& shape, Numerics numerics, DeviceWeights& weights)
      : device_(device),
        scratch_(scratch),
        config_(config),
        shape_(shape),
        numerics_(numerics),
        weights_(weights) {}

  // Before the first step.
  void upload_frequencies();

  // The share's part of a step of `rows`, and of the MTP block's where it has any. streams
  // [rows, 4, dim], in place: what the card before left, settled, and so they are left. taps
  // [rows, taps · dim]: DSpark's, filled for the share's layers; null without DSpark. The share
  // with head and draft blocks reads both and gives logits.
  void queue(const DeviceRows& rows, const DeviceRows& mtp_rows, const DeviceLogits& logits,
             float* streams, float* taps);

  // The parts, for drafts.
  [[nodiscard]] DeviceStep begin(const DeviceRows& rows, std::int64_t rope_shift);
  void embed(const DeviceRows& rows, int copies, float* out);
  [[nodiscard]] ops::cuda::KeptStreamsArgs kept(const DeviceRows& rows, float* streams) const;
  // The MTP block (model/mtp.h) over rows whose earlier streams are kept; its own streams come out.
  [[nodiscard]] float* run_mtp(const DeviceRows& rows);
  // A block of the backbone, of DSpark or the MTP block, by its index in the state.
  void block(DeviceStep& step, const BlockWeights& w, std::size_t layer, float* streams);

  [[nodiscard]] Device& device() { return device_; }
  [[nodiscard]] DeviceScratch& scratch() { return scratch_; }
  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] DeviceWeights& weights() { return weights_; }
  [[nodiscard]] std::size_t wide() const { return config_.hc_mult * config_.hidden_size; }

 private:
  void logits(DeviceStep& step, const HcWeights& hc, const float* norm, const float* streams,
              const DeviceLogits& out);
  void launches(const DeviceRows& rows, const DeviceRows& mtp_rows, const DeviceLogits& out,
                float* streams, float* taps);

  Device& device_;
  DeviceScratch& scratch_;
  const ModelConfig& config_;
  const StateShape& shape_;
  Numerics numerics_;
  DeviceWeights& weights_;
  DeviceBuffer frequencies_[2];  // of layers without and with a compressor
};

}  // namespace ambit::inference
