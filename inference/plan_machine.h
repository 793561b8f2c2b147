// This machine as the engine meets it: how much memory it may use, and how fast its own kernels
// run. No driver library is asked: graphics cards are named from what the kernel shows.
#pragma once

#include <string>
#include <vector>

#include "inference/plan.h"

namespace ambit::inference {

// Memory: the smaller of the machine's and of the control group's limit. Speed: the engine's FP8
// kernel over a matrix that no cache holds, one row at a time for reading (and the FP4 kernel) and
// many for multiplying; the best of a few rounds, about a second in all. threads 0: one a core.
[[nodiscard]] Machine measure_machine(unsigned threads);
[[nodiscard]] std::uint64_t usable_memory();

// Names of the NVIDIA cards whose driver is loaded; empty without one.
[[nodiscard]] std::vector<std::string> graphics_cards();

}  // namespace ambit::inference
