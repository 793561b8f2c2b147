#include "inference/kv/page.h"

#include <cstring>

#include "inference/kv/page_codec.h"

namespace ambit::inference {

namespace {

// The same in memory `to`. read: copies bytes from one memory to the other.
template <class T, class Read>
StateBuffer<T> moved(const StateBuffer<T>& from, StateMemory& to, StatePart part,
                     const Read& read) {
  if (!from) return {};
  StateBuffer<T> out(from.size(), to, part);
  read(out.data(), from.data(), from.bytes());
  return out;
}

// A device whose rows are packed keeps its window rows so, too.
bool packs_window(const StateMemory& memory, const StateShape& shape) {
  return !memory.is_host() && shape.packed;
}

}  // namespace

PagePtr PageMaker::make() const {
  auto page = std::make_shared<Page>();
  page->rows = ByteBuffer(shape_.rows_bytes, *memory_, StatePart::kRows);
  page->window = FloatBuffer(shape_.window_floats, *memory_, StatePart::kWindow);
  page->raw = FloatBuffer(shape_.raw_floats, *memory_, StatePart::kRaw);
  return page;
}

PagePtr PageMaker::to_host(const Page& page) const {
  const auto read = [&](void* to, const void* from, std::size_t n) { memory_->read(to, from, n); };
  auto out = std::make_shared<Page>();
  out->ids = page.ids;
  out->filled = page.filled;
  out->rows = moved(page.rows, host_memory(), StatePart::kRows, read);
  out->window = moved(page.window, host_memory(), StatePart::kWindow, read);
  out->edge = moved(page.edge, host_memory(), StatePart::kEdge, read);
  if (out->rows && shape_.row_bytes != host_shape_.row_bytes) {
    out->rows = pack_rows(shape_, host_shape_, out->rows.data());
  }
  if (out->window && packs_window(*memory_, shape_)) unpack_window(shape_, out->window.data());
  return out;
}

PagePtr PageMaker::from_host(const Page& page) const {
  const auto write = [&](void* to, const void* from, std::size_t n) {
    memory_->write(to, from, n);
  };
  Page unpacked;  // the parts that lie packed in `page`
  if (page.rows && shape_.row_bytes != host_shape_.row_bytes) {
    unpacked.rows = unpack_rows(shape_, host_shape_, page.rows.data());
  }
  if (page.checkpoint) decode_checkpoint(host_shape_, page.checkpoint, unpacked);
  if (packs_window(*memory_, shape_) && (page.window || unpacked.window)) {
    if (!unpacked.window) {
      unpacked.window = FloatBuffer(page.window.size());
      std::memcpy(unpacked.window.data(), page.window.data(), page.window.bytes());
    }
    pack_window(shape_, unpacked.window.data());
  }
  auto out = std::make_shared<Page>();
  out->ids = page.ids;
  out->filled = page.filled;
  out->rows = moved(unpacked.rows ? unpacked.rows : page.rows, *memory_, StatePart::kRows, write);
  out->window =
      moved(unpacked.window ? unpacked.window : page.window, *memory_, StatePart::kWindow, write);
  out->edge = moved(unpacked.edge ? unpacked.edge : page.edge, *memory_, StatePart::kEdge, write);
  return out;
}

PagePtr PageMaker::copy(const Page& from, std::int32_t filled) const {
  PagePtr page = make();
  page->ids = from.ids;
  page->filled = filled;
  const auto n = static_cast<std::size_t>(filled);
  const auto part = [&](const FloatBuffer& src, const FloatBuffer& dst, std::size_t at,
                        std::size_t count) {
    if (src) memory_->copy(dst.data(), 4 * at, src.data(), 4 * at, 4 * count);
  };
  // Index keys lie side by side: all of them are copied, complete or not.
  if (from.rows) {
    memory_->copy(page->rows.data(), 0, from.rows.data(), 0, shape_.rows_bytes);
  }
  for (const LayerShape& l : shape_.layers) {
    part(from.window, page->window, l.window_at, n * shape_.head_dim);
    if (l.ratio == 0) continue;
    part(from.raw, page->raw, l.raw_at, n * 2 * l.width);
    if (l.index_width == 0) continue;
    part(from.raw, page->raw, l.index_raw_at, n * 2 * l.index_width);
  }
  part(from.raw, page->raw, shape_.streams_at, n * shape_.streams);
  return page;
}

void PageMaker::save_edge(Page& page) const {
  if (!page.raw || page.has_edge()) return;
  page.edge = FloatBuffer(shape_.edge_floats, *memory_, StatePart::kEdge);
  const auto tokens = static_cast<std::size_t>(kPageTokens);
  const auto save = [&](std::size_t raw_at, std::size_t edge_at, std::size_t n) {
    memory_->copy(page.edge.data(), 4 * edge_at, page.raw.data(), 4 * raw_at, 4 * n);
  };
  for (const LayerShape& l : shape_.layers) {
    if (!l.overlap) continue;
    const auto n = static_cast<std::size_t>(l.ratio);
    save(l.raw_at + (tokens - n) * 2 * l.width, l.edge_at, n * 2 * l.width);
    save(l.index_raw_at + (tokens - n) * 2 * l.index_width, l.index_edge_at, n * 2 * l.index_width);
  }
  save(shape_.streams_at + (tokens - 1) * shape_.streams, shape_.streams_edge_at, shape_.streams);
}

void PageMaker::cool(Page& page) const {
  if (page.checkpoint || !page.window || page.filled != kPageTokens) return;
  save_edge(page);
  if (!page.edge) return;
  page.raw.reset();
  if (!on_host()) return;
  page.checkpoint = encode_checkpoint(shape_, page);
  page.window.reset();
  page.edge.reset();
}

void PageMaker::thaw(Page& page) const {
  if (!page.checkpoint) return;
  decode_checkpoint(shape_, page.checkpoint, page);
  page.checkpoint.reset();
}

}  // namespace ambit::inference
