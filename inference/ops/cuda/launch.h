// The CUDA side of the ops: each launcher takes the Args of its op's header with pointers into
// device memory, checks shapes, picks the variant and launches on `stream`. It neither allocates
// nor synchronises, so it can be captured into a graph. Nothing here needs a GPU to be compiled.
#pragma once

#include <cstdint>

#include "inference/ops/gemm.h"
#include "inference/ops/norm.h"

struct CUstream_st;

namespace ambit::inference::ops::cuda {

using Stream = CUstream_st*;

// What stopped a launch; kNone when it is queued.
enum class LaunchError : std::uint8_t { kNone, kShape, kUnsupported, kDevice };

// dim up to 65536.
[[nodiscard]] LaunchError rms_norm(const RmsNormArgs& args, Stream stream);

// y = x · wᵀ for few rows of x (decode): reads every weight once for up to 8 rows. FP8 with a scale
// per 128 × 128 block and FP4 with one per 32 columns; cols must divide by 128, w.data and x be
// aligned to 16 bytes. Other formats are kUnsupported.
[[nodiscard]] LaunchError gemv(const GemmArgs& args, Stream stream);

}  // namespace ambit::inference::ops::cuda
