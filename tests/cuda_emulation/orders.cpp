#include <cstdint>

#include "tests/cuda_emulation/simt.h"

extern "C" void ambit_set_thread_order(int order, std::uint64_t seed) {
  simt::config.order = static_cast<simt::Order>(order);
  simt::config.seed = seed;
}
