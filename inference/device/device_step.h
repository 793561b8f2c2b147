// One step's run of kernels. DeviceStep holds what all layers share; a layer is device_block.cpp.
#pragma once

#include "inference/device/weights.h"
#include "inference/model/step.h"

namespace ambit::inference {

// What the kernels know of a step: [rows] arrays and page addresses in device memory, and the few
// numbers of it that choose grids.
struct DeviceRows {
  ops::cuda::StepRows rows;
  std::int64_t longest = 0;  // tokens of the longest sequence after the step
  bool mutual = false;       // one segment, whose rows all see one another
};

// Rotary tables of a step, [rows, half] each.
struct DeviceRope {
  ops::cuda::Angles main, compress;    // at the row's position
  ops::cuda::Angles block4, block128;  // at the first position of a run that ends at the row
};

// Floats of a row's residual streams and of DSpark's taps: what goes from card to card.
[[nodiscard]] std::size_t stream_floats(const ModelConfig& config);

// Device memory that a step of so many rows takes for what lies between its kernels, at most.
[[nodiscard]] std::uint64_t step_scratch_bytes(const ModelConfig& config, std::size_t rows);

class DeviceStep {
 public:
  DeviceStep(Device& device, DeviceScratch& scratch, const ModelConfig& config,
             const StateShape& shape, Numerics numerics, const DeviceRows& rows);

  // frequencies: device memory, of layers without and with a compressor. shift: the angles are
  // those of position - shift.
  void make_rope(const float* main, const float* compress, std::int64_t shift);

  // streams: [rows, 4, dim], in place but for what the last sublayer still owes them, which the
  // next mix brings in. layer: index in the state.
  void block(const BlockWeights& w, const DeviceExperts& experts, std::size_t layer,
             float* streams);
  // Brings in what is owed.
  void settle(float* streams);

  // Logits of `n` rows of settled streams; collapsed: [n, dim], what the norm reads, or null.
  void head(const HcWeights& hc, const float* norm, const ops::Matrix& vocabulary, float* streams,
            std::size_t n, float* logits, float* collapsed = nullptr);

  // DSpark (model/dspark.h). Settles the streams behind backbone layer `layer` if it is tapped, and
  // fills its part of taps [rows, taps · dim].
  void tap(std::size_t layer, float* streams, float* taps);
  // Writes the window rows of all stages. first_layer: the first stage's index in the state.
  void dspark_rows(const DsparkWeights& w, std::size_t first_layer, const float* taps);
  // tokens [n + 1]: the known next token, behind which the n drafts are written. logits: of n rows,
  // used up; before [n, rank]: what the Markov head knows of the token before each.
  void dspark_tokens(const DsparkWeights& w, std::size_t n, float* logits, float* before,
                     std::int32_t* tokens);

  // A row in the forms that these matrices read.
  [[nodiscard]] ops::cuda::Activation forms(std::size_t rows, std::size_t cols,
                                            const std::vector<const ops::Matrix*>& readers,
                                            bool may_round = true);
  void linear(const ops::cuda::Activation& x, std::size_t n,
              const std::vector<std::pair<const ops::Matrix*, float*>>& jobs, int groups = 1);

  [[nodiscard]] Device& device() { return device_; }

 private:
  [[nodiscard]] bool rounds(const ops::Matrix& w) const;
  // The site before a sublayer: its input, and where its output goes back.
  void enter(const HcWeights& hc, const float* norm, float* streams,
             const ops::cuda::Activation& out);
  void attention(const AttentionWeights& w, const ops::cuda::Activation& x, std::size_t layer);
  void moe(const MoeWeights& w, const DeviceExperts& experts, const ops::cuda::Activation& x);

  Device& device_;
  DeviceScratch& scratch_;
  const ModelConfig& c_;
  const StateShape& shape_;
  Numerics numerics_;
  DeviceRows rows_;
  DeviceRope rope_;
  std::size_t n_ = 0;  // rows
  ops::cuda::Sublayer owed_;
  float* sublayer_ = nullptr;    // [rows, dim]
  float* expert_out_ = nullptr;  // [rows · k, dim]
  std::int32_t* entries_ = nullptr;
  float* mixes_[2] = {};  // post [rows, 4] and comb [rows, 16] of two sites in turn
  int turn_ = 0;
  float* partial_ = nullptr;
};

}  // namespace ambit::inference
