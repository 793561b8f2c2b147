// A step cut into pieces of rows, each a step of its own as far as kernels can tell: rows of a
// piece are counted from 0, and the same tokens in pieces give the same bits.
#pragma once

#include <span>
#include <vector>

#include "inference/model/step.h"
#include "inference/model/step_model.h"

namespace ambit::inference {

struct StepPiece {
  std::vector<Segment> segments;
  std::vector<Segment> mtp_segments;  // of the MTP block's rows
  std::vector<std::size_t> inputs;    // which input each segment is of
  std::vector<std::size_t> mtp_inputs;
  std::size_t rows = 0, mtp_rows = 0;
  // The rows that get logits, and the MTP block's rows for them, -1 where there is none.
  std::vector<std::int32_t> logit_rows, mtp_logit_rows;
};

// Of about equal rows, in the order of the inputs' rows. mtp: with rows of the MTP block. Before
// the caches are extended.
[[nodiscard]] std::vector<StepPiece> cut_step(std::span<const StepInput> inputs, bool mtp,
                                              std::size_t pieces);

}  // namespace ambit::inference
