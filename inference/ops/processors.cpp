#include "inference/ops/processors.h"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace ambit::inference::ops {
namespace {

std::filesystem::path folder_of(int processor) {
  return "/sys/devices/system/cpu/cpu" + std::to_string(processor);
}

}  // namespace

std::vector<int> physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return {};
  std::vector<int> out;
  std::set<std::string> seen;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream in(folder_of(cpu) / "topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(in, siblings)) siblings = std::to_string(cpu);
    if (seen.insert(siblings).second) out.push_back(cpu);
  }
  return out;
}

std::vector<int> places(unsigned threads, const std::vector<int>& cores) {
  return threads == cores.size() ? cores : std::vector<int>{};
}

bool bind_to(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

std::vector<int> memory_nodes(const std::vector<int>& processors) {
  std::set<int> nodes;
  for (const int cpu : processors) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(folder_of(cpu), error), end; !error && it != end;
         it.increment(error)) {
      const std::string name = it->path().filename();
      if (name.size() > 4 && name.starts_with("node")) nodes.insert(std::atoi(name.c_str() + 4));
    }
  }
  return {nodes.begin(), nodes.end()};
}

bool spread_memory(const std::vector<int>& nodes) {
  constexpr int kBits = sizeof(unsigned long) * CHAR_BIT;
  constexpr int kMostNodes = 1024;
  std::array<unsigned long, kMostNodes / kBits> mask{};
  for (const int node : nodes) {
    if (node < kMostNodes) {
      mask[static_cast<std::size_t>(node / kBits)] |= 1UL << static_cast<unsigned>(node % kBits);
    }
  }
  return ::syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, mask.data(), kMostNodes + 1) == 0;
}

}  // namespace ambit::inference::ops
