#include "inference/device/device_pages.h"

#include <algorithm>
#include <new>

namespace ambit::inference {
namespace {

constexpr std::size_t kAlign = 256;

constexpr std::size_t index_of(StatePart part) {
  return static_cast<std::size_t>(part);
}

}  // namespace

PageCuts page_cuts(const StateShape& s, std::span<const std::size_t> first_layers) {
  const std::array<std::size_t, kStateParts> all = {s.rows_bytes, 4 * s.window_floats,
                                                    4 * s.raw_floats, 4 * s.edge_floats};
  PageCuts out;
  for (const std::size_t first : first_layers) {
    auto& cut = out.emplace_back(all);
    if (first == 0) {
      cut = {};
      continue;
    }
    cut[index_of(StatePart::kWindow)] = 4 * s.layers[first].window_at;
    // Layers without a compressor have nothing in the other parts.
    const auto next =
        std::find_if(s.layers.begin() + static_cast<std::ptrdiff_t>(first), s.layers.end(),
                     [](const LayerShape& l) { return l.ratio != 0; });
    if (next != s.layers.end()) {
      cut[index_of(StatePart::kRows)] = next->rows_at;
      cut[index_of(StatePart::kRaw)] = 4 * next->raw_at;
      cut[index_of(StatePart::kEdge)] = 4 * next->edge_at;
    } else {
      // The last token's streams belong to the last layer.
      cut[index_of(StatePart::kRaw)] = 4 * s.streams_at;
      cut[index_of(StatePart::kEdge)] = 4 * s.streams_edge_at;
    }
  }
  out.push_back(all);
  return out;
}

void DevicePages::add_slab(std::size_t bytes, StatePart part) {
  constexpr std::size_t kSlab = std::size_t{64} << 20U;
  constexpr std::size_t kMostParts = 16;  // of a slab: small models need few
  const std::size_t p = index_of(part);
  const std::size_t count = std::clamp<std::size_t>(kSlab / std::max(bytes, kAlign), 1, kMostParts);
  // A share keeps the alignment that its bytes have in the whole part.
  const auto before = [&](std::size_t c) { return cuts_[c][p] / kAlign * kAlign; };
  const auto each = [&](std::size_t c) {
    return std::max((cuts_[c + 1][p] - before(c) + kAlign - 1) / kAlign * kAlign, kAlign);
  };
  std::uint64_t sum = 0;
  for (std::size_t c = 0; c < devices_.size(); ++c) sum += count * each(c);
  if (taken_ + sum > budget_) throw std::bad_alloc();
  std::vector<DeviceBuffer> slabs;
  for (std::size_t c = 0; c < devices_.size(); ++c) {
    slabs.emplace_back(*devices_[c], count * each(c));
  }
  taken_ += sum;
  for (std::size_t i = 0; i < count; ++i) {
    DevicePart& name = names_.emplace_back();
    name.part = part;
    for (std::size_t c = 0; c < devices_.size(); ++c) {
      name.at[c] = slabs[c].data() + i * each(c) - before(c);
    }
    free_[p].push_back(&name);
  }
  for (DeviceBuffer& slab : slabs) slabs_.push_back(std::move(slab));
}

void* DevicePages::allocate(std::size_t bytes, StatePart part) {
  auto& parts = free_[index_of(part)];
  if (parts.empty()) add_slab(bytes, part);
  void* p = parts.back();
  parts.pop_back();
  return p;
}

void DevicePages::release(void* p, std::size_t /*bytes*/) {
  auto* const name = static_cast<DevicePart*>(p);
  free_[index_of(name->part)].push_back(name);
}

template <class F>
void DevicePages::shares(StatePart part, std::size_t at, std::size_t bytes, const F& f) const {
  const std::size_t p = index_of(part);
  for (std::size_t c = 0; c < devices_.size(); ++c) {
    const std::size_t begin = std::max(at, cuts_[c][p]);
    const std::size_t end = std::min(at + bytes, cuts_[c + 1][p]);
    if (begin < end) f(c, begin, end);
  }
}

void DevicePages::copy(void* to, std::size_t to_at, const void* from, std::size_t from_at,
                       std::size_t bytes) {
  const auto& source = *static_cast<const DevicePart*>(from);
  const auto& target = *static_cast<const DevicePart*>(to);
  shares(source.part, from_at, bytes, [&](std::size_t c, std::size_t begin, std::size_t end) {
    devices_[c]->copy(target.at[c] + to_at + (begin - from_at), source.at[c] + begin, end - begin);
  });
}

void DevicePages::read(void* host, const void* from, std::size_t bytes) {
  const auto& source = *static_cast<const DevicePart*>(from);
  shares(source.part, 0, bytes, [&](std::size_t c, std::size_t begin, std::size_t end) {
    devices_[c]->copy(static_cast<std::byte*>(host) + begin, source.at[c] + begin, end - begin);
  });
  wait();
}

void DevicePages::write(void* to, const void* host, std::size_t bytes) {
  const auto& target = *static_cast<const DevicePart*>(to);
  shares(target.part, 0, bytes, [&](std::size_t c, std::size_t begin, std::size_t end) {
    devices_[c]->copy(target.at[c] + begin, static_cast<const std::byte*>(host) + begin,
                      end - begin);
  });
  wait();
}

// Each device remembers what went wrong.
void DevicePages::wait() {
  for (Device* d : devices_) (void)d->wait();
}

void fill_pages(ops::cuda::PageRef* to, const KvCache& cache, std::size_t card) {
  const auto address = [card](const void* name) {
    return name == nullptr
               ? nullptr
               : reinterpret_cast<float*>(static_cast<const DevicePart*>(name)->at[card]);
  };
  for (const PagePtr& p : cache.pages()) {
    *to++ = {address(p->rows.data()), address(p->window.data()), address(p->raw.data()),
             address(p->edge.data())};
  }
}

}  // namespace ambit::inference
