// Choice of the k largest scores. Ties go to the lower index, so that the choice is a function of
// the scores alone; NaN counts as the lowest.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ambit::inference::ops {

// Writes the indices of the min(k, n) largest of scores[0, n) to out, ascending; returns how many.
// scratch: n uint64, for the caller to keep between calls.
std::size_t top_k(const float* scores, std::size_t n, std::size_t k, std::int32_t* out,
                  std::uint64_t* scratch);

}  // namespace ambit::inference::ops
