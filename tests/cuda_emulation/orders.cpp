#include "tests/cuda_emulation/orders.h"

#include "tests/cuda_emulation/simt.h"

namespace ambit::testing {

std::vector<ThreadOrder> thread_orders() {
  return {{"Forward", 0, 1}, {"Reverse", 1, 1}, {"Random1", 2, 11}, {"Random2", 2, 12}};
}

void set_thread_order(const ThreadOrder& order) {
  simt::config.order = static_cast<simt::Order>(order.order);
  simt::config.seed = order.seed;
}

}  // namespace ambit::testing
