// The lightning indexer (section 2.8): for every token of a ratio-4 layer, which compressed rows
// its attention reads. Keys are kept by the index compressor.
#pragma once

#include <cstdint>

#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

// Per row of the step: the selected compressed rows, ascending.
struct Selection {
  const std::int32_t* ids = nullptr;    // [rows, stride]
  const std::int32_t* count = nullptr;  // [rows]
  std::size_t stride = 0;
};

// qr: [rows, q_lora] (after q_norm); x: [rows, D]. The keys of all rows are in the state already.
// Queries and scores are skipped for tokens that see no more than index_topk rows: they take all.
[[nodiscard]] Selection select_rows(const StepContext& step, const IndexerWeights& w,
                                    std::size_t layer, const float* x, const float* qr);

}  // namespace ambit::inference
