// In which order the emulation runs the threads of a block, the blocks of a grid, and streams that
// wait for one another. Correct code gives the same bits in all of them.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ambit::testing {

struct ThreadOrder {
  std::string name;
  int order = 0;  // forward, reverse, random
  std::uint64_t seed = 1;
};

// What the emulated library exports for this; a real card orders its threads itself.
using SetThreadOrder = void (*)(int order, std::uint64_t seed);

// order 0: late, 1: early (streams.h). lost: not 0: streams do not wait for events, which a test of
// who waits must see.
using SetStreamOrder = void (*)(int order, int lost);

inline std::vector<ThreadOrder> thread_orders() {
  return {{"Forward", 0, 1}, {"Reverse", 1, 1}, {"Random1", 2, 11}, {"Random2", 2, 12}};
}

}  // namespace ambit::testing
