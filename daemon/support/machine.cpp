#include "daemon/support/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

namespace ambit {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

unsigned cores_of(double quota, double period) {
  return quota > 0 && period > 0 ? static_cast<unsigned>(std::ceil(quota / period)) : 0;
}

// Calls f(folder, is_second_version) for the cgroup of this process under a controller, and for
// those above it.
template <class F>
void for_each_group(const fs::path& root, const std::string& controller, F&& f) {
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // 0::/a/b, or 4:cpu,cpuacct:/a/b
    const auto name = line.find(':');
    const auto path = line.find(':', name + 1);
    if (name == std::string::npos || path == std::string::npos) continue;
    const auto controllers = line.substr(name + 1, path - name - 1);
    const bool second = controllers.empty();
    if (!second && ("," + controllers + ",").find("," + controller + ",") == std::string::npos)
      continue;
    const auto base = root / "sys/fs/cgroup" / (second ? "" : controllers);
    for (auto group = fs::path(line.substr(path + 1)).relative_path();;
         group = group.parent_path()) {
      f(base / group, second);
      if (group.empty()) break;
    }
  }
}

// The smallest quota; 0: none.
unsigned cgroup_cores(const fs::path& root) {
  unsigned out = 0;
  const auto limit = [&](unsigned cores) {
    if (cores != 0) out = out == 0 ? cores : std::min(out, cores);
  };
  for_each_group(root, "cpu", [&](const fs::path& group, bool second) {
    if (second) {
      const auto words = first_line(group / "cpu.max");  // "max 100000", "150000 100000"
      const auto space = words.find(' ');
      if (space != std::string::npos && !words.starts_with("max"))
        limit(cores_of(std::atof(words.c_str()), std::atof(words.c_str() + space)));
    } else {
      limit(cores_of(std::atof(first_line(group / "cpu.cfs_quota_us").c_str()),
                     std::atof(first_line(group / "cpu.cfs_period_us").c_str())));
    }
  });
  return out;
}

}  // namespace

unsigned usable_cores(const fs::path& root) {
  cpu_set_t set;
  CPU_ZERO(&set);
  auto cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  cores = std::max(cores, 1);
  const auto quota = cgroup_cores(root);
  return quota == 0 ? static_cast<unsigned>(cores) : std::min(static_cast<unsigned>(cores), quota);
}

std::uint64_t memory_limit(const fs::path& root) {
  constexpr std::uint64_t kNone = std::uint64_t{1} << 60;  // what the first version says for none
  std::uint64_t out = 0;
  const auto limit = [&](const fs::path& file) {
    const auto bytes = std::strtoull(first_line(file).c_str(), nullptr, 10);  // "max": 0
    if (bytes != 0 && bytes < kNone) out = out == 0 ? bytes : std::min<std::uint64_t>(out, bytes);
  };
  for_each_group(root, "memory", [&](const fs::path& group, bool second) {
    if (second) {
      limit(group / "memory.max");
      limit(group / "memory.high");
    } else {
      limit(group / "memory.limit_in_bytes");
      limit(group / "memory.soft_limit_in_bytes");
    }
  });
  return out;
}

bool on_battery(const fs::path& root) {
  std::error_code ec;
  for (fs::directory_iterator it(root / "sys/class/power_supply", ec), end; !ec && it != end;
       it.increment(ec)) {
    if (first_line(it->path() / "type") == "Battery" &&
        first_line(it->path() / "scope") != "Device" &&  // of a mouse
        first_line(it->path() / "status") == "Discharging")
      return true;
  }
  return false;
}

unsigned background_threads(long long wanted, const fs::path& root) {
  if (wanted > 0) return static_cast<unsigned>(wanted);
  return on_battery(root) ? 1 : std::max(1U, usable_cores(root) / 2);
}

void yield_to_all() {
  const auto self = static_cast<id_t>(::syscall(SYS_gettid));
  (void)setpriority(PRIO_PROCESS, self, 19);
  const sched_param none{};
  (void)sched_setscheduler(static_cast<pid_t>(self), SCHED_IDLE, &none);
}

void yield_to_most() {
  const auto self = static_cast<id_t>(::syscall(SYS_gettid));
  (void)setpriority(PRIO_PROCESS, self, std::max(getpriority(PRIO_PROCESS, self), 10));
}

}  // namespace ambit
