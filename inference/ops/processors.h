// Which processors the engine's threads run on, and where memory lies on hosts with several nodes.
#pragma once

#include <vector>

namespace ambit::inference::ops {

// One processor of each physical core that this process may use, in order.
[[nodiscard]] std::vector<int> physical_cores();

// A team of `threads` threads, the caller the first of them: the processor that each is bound to.
// Empty when the system is to choose: where the team does not fill the cores, somebody else has the
// others, and may have been given the same ones.
[[nodiscard]] std::vector<int> places(unsigned threads, const std::vector<int>& cores);

// Binds the calling thread. False when the system does not let it.
bool bind_to(int processor);

// The memory nodes of these processors, ascending.
[[nodiscard]] std::vector<int> memory_nodes(const std::vector<int>& processors);

// From now on memory that the calling thread touches first is spread over the nodes, so that all of
// them serve the weights, which every thread reads. Those of the file's pages, too. False when the
// system does not let it.
bool spread_memory(const std::vector<int>& nodes);

}  // namespace ambit::inference::ops
