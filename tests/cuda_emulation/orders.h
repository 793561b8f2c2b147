// In which order the emulation runs the threads of a block and the blocks of a grid. A correct
// kernel gives the same bits in all of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ambit::testing {

struct ThreadOrder {
  std::string name;
  int order = 0;  // forward, reverse, random
  std::uint64_t seed = 1;
};

[[nodiscard]] std::vector<ThreadOrder> thread_orders();
void set_thread_order(const ThreadOrder& order);

}  // namespace ambit::testing
