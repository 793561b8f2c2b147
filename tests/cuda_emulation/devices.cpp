#include "tests/cuda_emulation/devices.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>

namespace emulated {
namespace {

// A guard on both sides: a kernel that writes there ends the program with a word, and not some
// later free() with a riddle.
constexpr std::size_t kFront = 4096, kBehind = std::size_t{64} << 10U;
constexpr unsigned char kGuard = 0xA5;
constexpr std::size_t kArena = 2 * kDeviceBytes;  // guards and holes included

struct Arena {
  unsigned char* begin = nullptr;
  bool open = true;
  std::map<std::size_t, std::size_t> holes;  // size by offset
};
struct Allocation {
  std::size_t bytes = 0, all = 0;
  int device = kHost;
  bool in_arena = false;
};
Arena arenas[kMostDevices];
std::size_t used[kMostDevices] = {};
bool peers[kMostDevices][kMostDevices] = {};
int running = kHost;

std::map<unsigned char*, Allocation>& allocations() {
  static std::map<unsigned char*, Allocation> table;
  return table;
}

void say_where(int, siginfo_t* info, void*) {
  const auto* at = static_cast<const unsigned char*>(info->si_addr);
  for (int d = 0; d < kMostDevices; ++d) {
    if (arenas[d].begin == nullptr || at < arenas[d].begin || at >= arenas[d].begin + kArena) {
      continue;
    }
    char text[128];
    const int n = std::snprintf(text, sizeof text,
                                "a kernel on device %d touched memory of device %d\n", running, d);
    (void)!::write(2, text, static_cast<std::size_t>(n));
    std::_Exit(3);
  }
  ::signal(SIGSEGV, SIG_DFL);  // and again
}

Arena& arena_of(int device) {
  Arena& arena = arenas[device];
  if (arena.begin != nullptr) return arena;
  void* p = ::mmap(nullptr, kArena, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  arena.begin = static_cast<unsigned char*>(p);
  arena.holes[0] = kArena;
  struct sigaction action = {};
  action.sa_sigaction = say_where;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
  return arena;
}

unsigned char* take(Arena& arena, std::size_t all) {
  const auto hole = std::find_if(arena.holes.begin(), arena.holes.end(),
                                 [all](const auto& h) { return h.second >= all; });
  if (hole == arena.holes.end()) return nullptr;
  const auto [at, size] = *hole;
  arena.holes.erase(hole);
  if (size > all) arena.holes[at + all] = size - all;
  return arena.begin + at;
}

void give_back(Arena& arena, const unsigned char* memory, std::size_t all) {
  const auto at = static_cast<std::size_t>(memory - arena.begin);
  auto hole = arena.holes.emplace(at, all).first;
  if (const auto next = std::next(hole);
      next != arena.holes.end() && next->first == at + hole->second) {
    hole->second += next->second;
    arena.holes.erase(next);
  }
  if (hole == arena.holes.begin()) return;
  const auto before = std::prev(hole);
  if (before->first + before->second != at) return;
  before->second += hole->second;
  arena.holes.erase(hole);
}

void set_open(Arena& arena, bool open) {
  if (arena.begin == nullptr || arena.open == open) return;
  arena.open = open;
  ::mprotect(arena.begin, kArena, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

}  // namespace

int device_count() {
  if (std::getenv("AMBIT_EMULATE_NO_DEVICE") != nullptr) return 0;
  const char* count = std::getenv("AMBIT_EMULATE_DEVICES");
  return count == nullptr ? 1 : std::clamp(std::atoi(count), 1, kMostDevices);
}

void* allocate(std::size_t n, int device) {
  if (device != kHost && used[device] + n > kDeviceBytes) return nullptr;
  open_for(kHost);
  Allocation a{n, (kFront + n + kBehind + 255) / 256 * 256, device, false};
  unsigned char* memory = nullptr;
  a.in_arena = device != kHost && device_count() > 1;
  memory = a.in_arena ? take(arena_of(device), a.all)
                      : static_cast<unsigned char*>(std::aligned_alloc(256, a.all));
  if (memory == nullptr) return nullptr;
  std::memset(memory, kGuard, kFront);
  std::memset(memory + kFront + n, kGuard, kBehind);
  // Device memory begins as NaN garbage.
  std::memset(memory + kFront, device == kHost ? 0 : 0xFF, n);
  if (device != kHost) used[device] += n;
  allocations()[memory + kFront] = a;
  return memory + kFront;
}

void release(void* p) {
  open_for(kHost);
  const auto found = allocations().find(static_cast<unsigned char*>(p));
  if (found == allocations().end()) std::abort();
  const auto [begin, a] = *found;
  const auto whole = [](const unsigned char* from, const unsigned char* to) {
    return std::all_of(from, to, [](unsigned char c) { return c == kGuard; });
  };
  if (!whole(begin - kFront, begin) || !whole(begin + a.bytes, begin + a.bytes + kBehind)) {
    std::fprintf(stderr, "a kernel wrote outside of an allocation of %zu bytes\n", a.bytes);
    std::fflush(nullptr);
    std::_Exit(3);
  }
  if (a.device != kHost) used[a.device] -= a.bytes;
  if (a.in_arena) {
    give_back(arenas[a.device], begin - kFront, a.all);
  } else {
    std::free(begin - kFront);
  }
  allocations().erase(found);
}

std::size_t used_bytes(int device) {
  return used[device];
}

bool is_allocated(const void* memory) {
  auto* const at = static_cast<unsigned char*>(const_cast<void*>(memory));
  const auto next = allocations().upper_bound(at);
  if (next == allocations().begin()) return false;
  const auto& [begin, a] = *std::prev(next);
  return at < begin + std::max<std::size_t>(a.bytes, 1);
}

void enable_peer(int from, int to) {
  peers[from][to] = true;
}

void open_for(int device) {
  if (running == device) return;
  running = device;
  for (int d = 0; d < kMostDevices; ++d) {
    set_open(arenas[d], device == kHost || device == d || peers[device][d]);
  }
}

}  // namespace emulated
