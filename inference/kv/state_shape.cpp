#include "inference/kv/state_shape.h"

#include "inference/ops/packed_rows.h"

namespace ambit::inference {

static_assert(kPageTokens / 4 == ops::kKeyBlock, "a page of a ratio-4 layer is a block of keys");

StateShape StateShape::make(const std::vector<LayerKind>& kinds, const Rows& rows,
                            std::int64_t window, std::size_t streams) {
  StateShape s;
  const std::size_t head_dim = rows.head_dim;
  const std::size_t index_dim = rows.index_dim;
  s.head_dim = head_dim;
  s.index_dim = index_dim;
  s.rope = rows.rope;
  s.rounded = rows.rounded;
  s.packed = rows.packed;
  s.window = window;
  s.streams = streams;
  s.row_bytes = rows.packed ? ops::kv_row_bytes(head_dim, rows.rope) : 4 * head_dim;
  s.index_block_bytes =
      rows.packed ? ops::key_block_bytes(index_dim) : 4 * index_dim * ops::kKeyBlock;
  const auto tokens = static_cast<std::size_t>(kPageTokens);
  for (const LayerKind& kind : kinds) {
    LayerShape l;
    l.ratio = kind.ratio;
    l.overlap = kind.ratio == 4;
    l.window_at = s.window_floats;
    s.window_floats += tokens * head_dim;
    if (kind.ratio != 0) {
      const std::size_t blocks = tokens / static_cast<std::size_t>(kind.ratio);
      const auto edge_tokens = static_cast<std::size_t>(l.overlap ? kind.ratio : 0);
      l.width = l.overlap ? 2 * head_dim : head_dim;
      l.rows_at = s.rows_bytes;
      s.rows_bytes += blocks * s.row_bytes;
      l.raw_at = s.raw_floats;
      s.raw_floats += tokens * 2 * l.width;
      l.edge_at = s.edge_floats;
      s.edge_floats += edge_tokens * 2 * l.width;
      if (kind.has_indexer) {
        l.index_width = l.overlap ? 2 * index_dim : index_dim;
        l.index_at = s.rows_bytes;
        s.rows_bytes += s.index_block_bytes;
        l.index_raw_at = s.raw_floats;
        s.raw_floats += tokens * 2 * l.index_width;
        l.index_edge_at = s.edge_floats;
        s.edge_floats += edge_tokens * 2 * l.index_width;
      }
    }
    s.layers.push_back(l);
  }
  s.streams_at = s.raw_floats;
  s.raw_floats += tokens * streams;
  s.streams_edge_at = s.edge_floats;
  s.edge_floats += streams;
  return s;
}

StateShape StateShape::packed_form() const {
  // A device may keep packed rows farther apart.
  if (packed == rounded && (!packed || row_bytes == ops::kv_row_bytes(head_dim, rope))) {
    return *this;
  }
  std::vector<LayerKind> kinds;
  for (const LayerShape& l : layers) kinds.push_back({l.ratio, l.index_width != 0});
  return make(kinds,
              {.head_dim = head_dim,
               .rope = rope,
               .index_dim = index_dim,
               .rounded = rounded,
               .packed = rounded},
              window, streams);
}

}  // namespace ambit::inference
