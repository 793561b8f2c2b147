// What of a model lies on which card, decided from sizes alone: layers in contiguous ranges, each
// with its state, the embedding on the first card, head and draft blocks on the last (where drafts
// need a copy of the embedding). Ranges are such that the fullest card is least full.
//
// Cards of one step are of one compute capability: matrix units of different generations round
// differently, and results must not depend on the split.
#pragma once

#include "inference/device/device_options.h"
#include "inference/device/device_pages.h"
#include "inference/device/weights.h"

namespace ambit::inference {

struct CardLayout {
  ops::cuda::DeviceInfo info{};
  WeightShare share{};
  std::uint64_t weights_bytes = 0;  // what the share's weights may take of the card
};

struct DeviceLayout {
  std::vector<CardLayout> cards;
  PageCuts cuts;
  std::uint64_t state_bytes = 0;  // of all cards
  std::size_t most_rows = 0;      // of a step
  std::size_t rows_of_a_read = 0;
  bool fits = false;         // without experts in host memory
  bool cpu_experts = false;  // what does not fit is the CPU's; of one card alone

  [[nodiscard]] std::size_t pieces(std::size_t rows) const {
    return step_pieces(rows, cards.size(), rows_of_a_read);
  }
};

// found: the cards that can be used. Errors, kInvalidArgument in one line: a card that is not there
// or named twice, cards of two generations, more cards than layers,
// several that do not hold the model beside experts of the CPU's.
[[nodiscard]] Result<DeviceLayout> lay_out(const std::vector<ops::cuda::DeviceInfo>& found,
                                           const ModelConfig& config, const WeightSizes& sizes,
                                           const StateShape& shape, const DeviceOptions& options);

}  // namespace ambit::inference
