// How a model is put on graphics cards.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "inference/model/step.h"

namespace ambit::inference {

struct DeviceOptions {
  Numerics numerics = Numerics::kFast;
  bool mtp = true;                // with the draft blocks, if the checkpoint has some
  float least_confidence = 0.5F;  // of DSpark's drafts, as ModelOptions has it
  // The cards' memory: of all together for pages of state (0: twice default_state_bytes() of
  // plan.h), at most a quarter of what is free; of each for weights (0: the rest, less what a step
  // needs).
  std::uint64_t state_bytes = std::uint64_t{1} << 30U;
  std::uint64_t weights_bytes = 0;
  // By number, in the order of the layers. Empty: as few as hold the model, or all of one kind.
  std::vector<int> cards{};
  // For step_pieces() of layer_split.h. 0: what is so of most cards.
  std::size_t rows_of_a_read = 0;
  // Routed experts that do not fit the card are computed by the CPU (cold_experts.h), on so many
  // threads (0: one a core), and not read by the card over the bus. Only of a model on one card:
  // with `cards` empty, that is the largest where not all together hold the model.
  bool cpu_experts = false;
  unsigned threads = 0;
  // Where what tokens choose is kept over restarts; empty: nowhere. One process at a time.
  std::filesystem::path state_directory{};
};

}  // namespace ambit::inference
