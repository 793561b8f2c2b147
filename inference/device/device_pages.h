// The pages of a model's state on its cards: every card holds the shares of its own layers. Layers
// lie in a page's parts in ascending order, so a card's share of a part is one run of bytes;
// kernels find a layer at the same offset whatever the split (PageRef, launch.h), since what they
// are given is where the part's first byte would be.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "inference/device/memory.h"
#include "inference/kv/cache.h"

namespace ambit::inference {

inline constexpr std::size_t kMostCards = 16;

// What the name of a part (StateMemory) points to.
struct DevicePart {
  StatePart part = StatePart::kRows;
  std::array<std::byte*, kMostCards> at{};  // of each card: its share's address, less its offset
};

// [card][part]: where a card's share of a part begins; the last entry is the parts' size.
using PageCuts = std::vector<std::array<std::size_t, kStateParts>>;
// first_layers: of each card, ascending from 0.
[[nodiscard]] PageCuts page_cuts(const StateShape& shape,
                                 std::span<const std::size_t> first_layers);

// Parts of pages, from slabs of device memory. A part that is given back serves the next of its
// kind; the streams' order makes that safe.
class DevicePages final : public StateMemory {
 public:
  // devices: must outlive it; budget_bytes: of all of them together, at most.
  DevicePages(std::vector<Device*> devices, PageCuts cuts, std::uint64_t budget_bytes)
      : devices_(std::move(devices)), cuts_(std::move(cuts)), budget_(budget_bytes) {}
  void* allocate(std::size_t bytes, StatePart part) override;
  void release(void* p, std::size_t bytes) override;
  void copy(void* to, std::size_t to_at, const void* from, std::size_t from_at,
            std::size_t bytes) override;
  void read(void* host, const void* from, std::size_t bytes) override;
  void write(void* to, const void* host, std::size_t bytes) override;
  bool is_host() const override { return false; }

 private:
  // Calls f(card, begin, end) for every card's share of bytes [at, at + bytes) of a part.
  template <class F>
  void shares(StatePart part, std::size_t at, std::size_t bytes, const F& f) const;
  void add_slab(std::size_t bytes, StatePart part);
  void wait();

  std::vector<Device*> devices_;
  PageCuts cuts_;
  std::uint64_t budget_;
  std::uint64_t taken_ = 0;
  std::vector<DeviceBuffer> slabs_;
  std::deque<DevicePart> names_;
  std::array<std::vector<DevicePart*>, kStateParts> free_;
};

// The addresses of a sequence's pages on one card, from its first one on.
void fill_pages(ops::cuda::PageRef* to, const KvCache& cache, std::size_t card);

}  // namespace ambit::inference
