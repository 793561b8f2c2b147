// Finds libambit_cuda.so and takes the graphics cards into use.
#pragma once

#include <string>
#include <vector>

#include "daemon/support/result.h"
#include "inference/ops/cuda/api.h"

namespace ambit::inference {

struct DeviceLibrary {
  const ops::cuda::Api* api = nullptr;
  std::vector<ops::cuda::DeviceInfo> cards{};  // those that can be used, at least one
  void* handle = nullptr;                      // of dlopen
};

// Looks at $AMBIT_CUDA_LIBRARY (a path), else beside the program, in its ../lib/ambit, and where
// the system's loader looks. The library stays loaded. kUnavailable, with what to do next, when
// there is none, it is of another build, or no card can be used.
[[nodiscard]] Result<DeviceLibrary> open_device_library();

}  // namespace ambit::inference
