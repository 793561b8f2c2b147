#include "inference/kv/page.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace ambit::inference {

namespace {

class HostMemory final : public StateMemory {
 public:
  float* allocate(std::size_t n) override {
    constexpr std::size_t kAlign = 64;
    const std::size_t bytes =
        (std::max<std::size_t>(n, 1) * sizeof(float) + kAlign - 1) / kAlign * kAlign;
    auto* p = static_cast<float*>(std::aligned_alloc(kAlign, bytes));
    if (p == nullptr) throw std::bad_alloc();
    return p;
  }
  void release(float* p, std::size_t) override { std::free(p); }
  void copy(float* to, const float* from, std::size_t n) override { std::copy_n(from, n, to); }
  void read(float* host, const float* from, std::size_t n) override { copy(host, from, n); }
  void write(float* to, const float* host, std::size_t n) override { copy(to, host, n); }
  bool is_host() const override { return true; }
};

// A page of the same parts, the raw one apart, in memory `to`.
template <class Copy>
PagePtr moved(const Page& page, StateMemory& to, const Copy& copy) {
  auto out = std::make_shared<Page>();
  out->ids = page.ids;
  out->filled = page.filled;
  const auto part = [&](const FloatBuffer& from, FloatBuffer& into) {
    if (!from) return;
    into = FloatBuffer(from.size(), to);
    copy(into.data(), from.data(), from.size());
  };
  part(page.rows, out->rows);
  part(page.window, out->window);
  part(page.edge, out->edge);
  return out;
}

}  // namespace

StateMemory& host_memory() {
  static HostMemory memory;
  return memory;
}

FloatBuffer::FloatBuffer(std::size_t n, StateMemory& memory)
    : data_(memory.allocate(n), ReleaseState{&memory, n}), size_(n) {}

PagePtr PageMaker::make() const {
  auto page = std::make_shared<Page>();
  page->rows = FloatBuffer(shape_.rows_floats, *memory_);
  page->window = FloatBuffer(shape_.window_floats, *memory_);
  page->raw = FloatBuffer(shape_.raw_floats, *memory_);
  return page;
}

PagePtr PageMaker::to_host(const Page& page) const {
  return moved(page, host_memory(),
               [&](float* to, const float* from, std::size_t n) { memory_->read(to, from, n); });
}

PagePtr PageMaker::from_host(const Page& page) const {
  return moved(page, *memory_,
               [&](float* to, const float* from, std::size_t n) { memory_->write(to, from, n); });
}

PagePtr PageMaker::copy(const Page& from, std::int32_t filled) const {
  PagePtr page = make();
  page->ids = from.ids;
  page->filled = filled;
  const auto n = static_cast<std::size_t>(filled);
  const auto part = [&](const FloatBuffer& src, const FloatBuffer& dst, std::size_t at,
                        std::size_t count) {
    if (src) memory_->copy(dst.data() + at, src.data() + at, count);
  };
  for (const LayerShape& l : shape_.layers) {
    part(from.window, page->window, l.window_at, n * shape_.head_dim);
    if (l.ratio == 0) continue;
    const std::size_t blocks = n / static_cast<std::size_t>(l.ratio);
    part(from.rows, page->rows, l.rows_at, blocks * shape_.head_dim);
    part(from.raw, page->raw, l.raw_at, n * 2 * l.width);
    if (l.index_width == 0) continue;
    // Transposed: all columns, complete or not.
    const auto per_page = static_cast<std::size_t>(kPageTokens / l.ratio);
    part(from.rows, page->rows, l.index_at, per_page * shape_.index_dim);
    part(from.raw, page->raw, l.index_raw_at, n * 2 * l.index_width);
  }
  part(from.raw, page->raw, shape_.streams_at, n * shape_.streams);
  return page;
}

void PageMaker::save_edge(Page& page) const {
  if (!page.raw || page.edge) return;
  page.edge = FloatBuffer(shape_.edge_floats, *memory_);
  const auto tokens = static_cast<std::size_t>(kPageTokens);
  const auto save = [&](std::size_t raw_at, std::size_t edge_at, std::size_t n) {
    memory_->copy(page.edge.data() + edge_at, page.raw.data() + raw_at, n);
  };
  for (const LayerShape& l : shape_.layers) {
    if (!l.overlap) continue;
    const auto n = static_cast<std::size_t>(l.ratio);
    save(l.raw_at + (tokens - n) * 2 * l.width, l.edge_at, n * 2 * l.width);
    save(l.index_raw_at + (tokens - n) * 2 * l.index_width, l.index_edge_at, n * 2 * l.index_width);
  }
  save(shape_.streams_at + (tokens - 1) * shape_.streams, shape_.streams_edge_at, shape_.streams);
}

}  // namespace ambit::inference
