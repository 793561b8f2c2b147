// The state of one sequence: a list of pages. Copying a KvCache forks the sequence (pages are
// shared until one of the two writes); truncate() rolls back by moving the length.
//
// A step first extends the cache by its tokens, then the model writes their rows: window rows and
// compressor inputs of every new token, and the compressed rows of every block that they complete.
// Rows of positions >= length() are leftovers and are overwritten before anybody reads them.
// Threads: the model thread only (its workers read and write rows while a step runs).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/kv/page.h"

namespace ambit::inference {

class KvCache {
 public:
  explicit KvCache(const PageMaker& maker) : maker_(&maker) {}

  [[nodiscard]] const StateShape& shape() const { return maker_->shape(); }
  [[nodiscard]] std::int64_t length() const { return length_; }
  [[nodiscard]] TokenId token(std::int64_t position) const {
    return pages_[page_of(position)]->ids[slot_of(position)];
  }

  // Makes positions [length, length + ids.size()) writable and moves the length behind them.
  void extend(std::span<const TokenId> ids);
  // Forgets positions >= length. The page of position length-1 must have all its parts, or length
  // be a page boundary (see can_resume()).
  void truncate(std::int64_t length);
  // Appends a shared page: its first `filled` tokens become part of this sequence. length() must be
  // a page boundary.
  void adopt(PagePtr page, std::int32_t filled);
  // Readies adopted pages for going on from the end.
  void thaw();
  // Frees what going on from the end does not need of pages that no other owner holds, all but the
  // last `pages` of them: packs their windows (PageMaker::cool), or keeps their rows alone.
  void cool(std::size_t pages);
  void strip(std::size_t pages);
  [[nodiscard]] const std::vector<PagePtr>& pages() const { return pages_; }

  // Rows, by backbone-then-MTP layer index and absolute position. Valid until the cache is changed.
  [[nodiscard]] float* window_row(std::size_t layer, std::int64_t position) {
    const LayerShape& l = shape().layers[layer];
    return page(position).window.data() + l.window_at + slot_of(position) * shape().head_dim;
  }
  [[nodiscard]] const float* window_row(std::size_t layer, std::int64_t position) const {
    return const_cast<KvCache*>(this)->window_row(layer, position);
  }
  // The raw row of a token: `width` values, then `width` scores.
  [[nodiscard]] float* raw_row(std::size_t layer, std::int64_t position) {
    const LayerShape& l = shape().layers[layer];
    Page& p = page(position);
    if (p.raw) return p.raw.data() + l.raw_at + slot_of(position) * 2 * l.width;
    return p.edge.data() + l.edge_at + edge_slot(l, position) * 2 * l.width;
  }
  [[nodiscard]] float* index_raw_row(std::size_t layer, std::int64_t position) {
    const LayerShape& l = shape().layers[layer];
    Page& p = page(position);
    if (p.raw) return p.raw.data() + l.index_raw_at + slot_of(position) * 2 * l.index_width;
    return p.edge.data() + l.index_edge_at + edge_slot(l, position) * 2 * l.index_width;
  }
  // Final residual streams of a token (shape().streams floats).
  [[nodiscard]] float* streams_row(std::int64_t position) {
    Page& p = page(position);
    if (p.raw) return p.raw.data() + shape().streams_at + slot_of(position) * shape().streams;
    return p.edge.data() + shape().streams_edge_at;
  }
  // Compressed row c of a layer: shape().row_bytes of a packed row, or head_dim floats.
  [[nodiscard]] std::uint8_t* row(std::size_t layer, std::int64_t c) {
    const LayerShape& l = shape().layers[layer];
    const std::int64_t position = c * l.ratio;
    return rows_[page_of(position)] + l.rows_at +
           slot_of(position) / static_cast<std::size_t>(l.ratio) * shape().row_bytes;
  }
  [[nodiscard]] const std::uint8_t* row(std::size_t layer, std::int64_t c) const {
    return const_cast<KvCache*>(this)->row(layer, c);
  }
  // The index keys of the page of row c, and the column of c: a block of packed keys, or floats
  // [index_dim, rows of a page].
  [[nodiscard]] std::uint8_t* index_keys(std::size_t layer, std::int64_t c) {
    const LayerShape& l = shape().layers[layer];
    return rows_[page_of(c * l.ratio)] + l.index_at;
  }
  [[nodiscard]] std::size_t index_column(std::size_t layer, std::int64_t c) const {
    const LayerShape& l = shape().layers[layer];
    return slot_of(c * l.ratio) / static_cast<std::size_t>(l.ratio);
  }

 private:
  [[nodiscard]] static std::size_t page_of(std::int64_t position) {
    return static_cast<std::size_t>(position / kPageTokens);
  }
  [[nodiscard]] static std::size_t slot_of(std::int64_t position) {
    return static_cast<std::size_t>(position % kPageTokens);
  }
  [[nodiscard]] static std::size_t edge_slot(const LayerShape& l, std::int64_t position) {
    return slot_of(position) - static_cast<std::size_t>(kPageTokens - l.ratio);
  }
  [[nodiscard]] Page& page(std::int64_t position) { return *pages_[page_of(position)]; }

  const PageMaker* maker_;
  std::vector<PagePtr> pages_;
  // Of pages_: a scan over all pages does not wait for each Page to be fetched.
  std::vector<std::uint8_t*> rows_;
  std::int64_t length_ = 0;
};

}  // namespace ambit::inference
