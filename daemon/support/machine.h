// What background work may use of the machine.
#pragma once

#include <cstdint>
#include <filesystem>

namespace ambit {

// Cores of the process's affinity mask, and no more than the CPU quota of its cgroup (rounded up).
// At least 1. `root` is where /proc and /sys are looked for.
[[nodiscard]] unsigned usable_cores(const std::filesystem::path& root = "/");
// Bytes that the cgroup of the process and those above it allow (memory.max, memory.high and what
// they were called before); 0: no limit.
[[nodiscard]] std::uint64_t memory_limit(const std::filesystem::path& root = "/");
// Whether a battery is being emptied.
[[nodiscard]] bool on_battery(const std::filesystem::path& root = "/");
// How many threads index when the setting asks for none: half of the usable cores, one on battery.
[[nodiscard]] unsigned background_threads(long long wanted,
                                          const std::filesystem::path& root = "/");
// From now on the calling thread, and those that it starts, run only when nobody else wants to.
void yield_to_all();
// From now on they run behind everybody else, but go on: beside a build on all cores they get about
// a tenth of one. For what somebody waits for.
void yield_to_most();

}  // namespace ambit
