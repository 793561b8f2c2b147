#include "inference/device/step_pieces.h"

#include <algorithm>

namespace ambit::inference {
namespace {

// Rows [from, from + count) of an input, whose sequence is `start` long before it, as the piece's
// next.
void add_rows(StepPiece& piece, const StepInput& in, std::size_t input, std::int64_t start,
              std::size_t from, std::size_t count, bool mtp) {
  const std::int64_t at = start + static_cast<std::int64_t>(from);
  piece.segments.push_back({in.cache, at, count, piece.rows, 0});
  piece.inputs.push_back(input);
  const std::size_t absent = at == 0 ? 1 : 0;  // the first token has no pair
  for (std::size_t r = 0; r < count; ++r) {
    if (from + r < in.logits_from) continue;
    piece.logit_rows.push_back(static_cast<std::int32_t>(piece.rows + r));
    piece.mtp_logit_rows.push_back(
        r < absent ? -1 : static_cast<std::int32_t>(piece.mtp_rows + r - absent));
  }
  if (mtp && count > absent) {
    piece.mtp_segments.push_back(
        {in.cache, at + static_cast<std::int64_t>(absent), count - absent, piece.mtp_rows, 1});
    piece.mtp_inputs.push_back(input);
    piece.mtp_rows += count - absent;
  }
  piece.rows += count;
}

}  // namespace

std::vector<StepPiece> cut_step(std::span<const StepInput> inputs, bool mtp, std::size_t pieces) {
  std::size_t all = 0;
  for (const StepInput& in : inputs) all += in.ids.size();
  std::vector<StepPiece> out(pieces);
  std::size_t done = 0;  // rows
  std::size_t p = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const StepInput& in = inputs[i];
    const std::int64_t start = in.cache->length();
    for (std::size_t from = 0; from < in.ids.size();) {
      while (done == all * (p + 1) / pieces) ++p;
      const std::size_t count = std::min(in.ids.size() - from, all * (p + 1) / pieces - done);
      add_rows(out[p], in, i, start, from, count, mtp);
      from += count;
      done += count;
    }
  }
  return out;
}

}  // namespace ambit::inference
