// The state in this process's memory. A scan over a long context touches a few bytes of every page
// of tokens; in memory of 4 KiB a page each touch would walk the page tables. Blocks of one size
// therefore lie side by side in slabs of huge pages, where the system has them.
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "inference/kv/page.h"

namespace ambit::inference {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::size_t kHuge = std::size_t{2} << 20U;
// Smaller blocks are not worth it, larger ones lie in memory of their own anyway.
constexpr std::size_t kLeast = 1024, kMost = std::size_t{1} << 20U;
constexpr std::size_t kBlocks = 16;  // of a slab, at least

std::size_t rounded(std::size_t n, std::size_t to) {
  return (n + to - 1) / to * to;
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSlabs = false;  // there each block has guards of its own
#else
constexpr bool kSlabs = true;
#endif

// Memory at a multiple of kHuge; huge: in huge pages, where the system gives some. bytes: a
// multiple of kHuge.
std::byte* map_slab(std::size_t bytes, bool huge) {
  void* p =
      ::mmap(nullptr, bytes + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  const std::size_t before = rounded(address, kHuge) - address;
  auto* slab = static_cast<std::byte*>(p) + before;
  if (before != 0) (void)::munmap(p, before);
  (void)::munmap(slab + bytes, kHuge - before);
  if (huge) (void)::madvise(slab, bytes, MADV_HUGEPAGE);
  return slab;
}

class HostMemory final : public StateMemory {
 public:
  void* allocate(std::size_t n, StatePart /*part*/) override {
    const std::size_t size = rounded(std::max<std::size_t>(n, 1), kAlign);
    if (is_pooled(size)) {
      const std::lock_guard lock(mutex_);
      return take(size);
    }
    void* p = std::aligned_alloc(kAlign, size);
    if (p == nullptr) throw std::bad_alloc();
    return p;
  }
  void release(void* p, std::size_t n) override {
    const std::size_t size = rounded(std::max<std::size_t>(n, 1), kAlign);
    if (!is_pooled(size)) return std::free(p);
    const std::lock_guard lock(mutex_);
    give_back(static_cast<std::byte*>(p), size);
  }
  void copy(void* to, std::size_t to_at, const void* from, std::size_t from_at,
            std::size_t n) override {
    std::memcpy(static_cast<std::byte*>(to) + to_at, static_cast<const std::byte*>(from) + from_at,
                n);
  }
  void read(void* host, const void* from, std::size_t n) override { std::memcpy(host, from, n); }
  void write(void* to, const void* host, std::size_t n) override { std::memcpy(to, host, n); }
  bool is_host() const override { return true; }

 private:
  struct Slab {
    std::size_t bytes = 0;
    std::vector<std::byte*> free;
    std::size_t blocks = 0;
  };
  using Slabs = std::map<std::byte*, Slab>;  // by address

  static bool is_pooled(std::size_t size) { return kSlabs && size >= kLeast && size <= kMost; }

  void* take(std::size_t size) {
    Slabs& slabs = by_size_[size];
    // The lowest that has room: later ones empty and go back to the system.
    auto at = std::find_if(slabs.begin(), slabs.end(),
                           [](const auto& entry) { return !entry.second.free.empty(); });
    if (at == slabs.end()) {
      Slab slab;
      slab.bytes = rounded(kBlocks * size, kHuge);
      slab.blocks = slab.bytes / size;
      // The first slab grows with its use: a short context takes no megabytes at the first touch.
      std::byte* data = map_slab(slab.bytes, /*huge=*/!slabs.empty());
      for (std::size_t i = slab.blocks; i-- > 0;) slab.free.push_back(data + i * size);
      at = slabs.emplace(data, std::move(slab)).first;
    }
    std::byte* p = at->second.free.back();
    at->second.free.pop_back();
    return p;
  }

  void give_back(std::byte* p, std::size_t size) {
    Slabs& slabs = by_size_[size];
    const auto at = std::prev(slabs.upper_bound(p));
    Slab& slab = at->second;
    slab.free.push_back(p);
    if (slab.free.size() != slab.blocks) return;
    (void)::munmap(at->first, slab.bytes);
    slabs.erase(at);
  }

  std::mutex mutex_;
  std::map<std::size_t, Slabs> by_size_;
};

}  // namespace

StateMemory& host_memory() {
  static auto* const memory = new HostMemory;  // for ever: pages may outlive other statics
  return *memory;
}

}  // namespace ambit::inference
