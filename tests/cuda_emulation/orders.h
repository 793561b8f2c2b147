// In which order the emulation runs the threads of a block and the blocks of a grid. A correct
// kernel gives the same bits in all of them.
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

inline std::vector<ThreadOrder> thread_orders() {
  return {{"Forward", 0, 1}, {"Reverse", 1, 1}, {"Random1", 2, 11}, {"Random2", 2, 12}};
}

}  // namespace ambit::testing
