// The same fuzz target in builds without libFuzzer: a fixed set of mutations of a few seeds, so
// that the target compiles and holds everywhere. Deterministic; a failure is reproduced by running
// again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace ambit::fuzz {

// Defined by each target: valid inputs to start from.
std::vector<std::string> seeds();

// Ends the process with a line on stderr when a property does not hold; libFuzzer keeps the input.
void require(bool holds, const char* property);

}  // namespace ambit::fuzz
