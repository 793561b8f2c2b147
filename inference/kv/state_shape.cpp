#include "inference/kv/state_shape.h"

namespace ambit::inference {

StateShape StateShape::make(const std::vector<LayerKind>& kinds, std::size_t head_dim,
                            std::size_t index_dim, std::int64_t window, std::size_t streams) {
  StateShape s;
  s.head_dim = head_dim;
  s.index_dim = index_dim;
  s.window = window;
  s.streams = streams;
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
      l.rows_at = s.rows_floats;
      s.rows_floats += blocks * head_dim;
      l.raw_at = s.raw_floats;
      s.raw_floats += tokens * 2 * l.width;
      l.edge_at = s.edge_floats;
      s.edge_floats += edge_tokens * 2 * l.width;
      if (kind.has_indexer) {
        l.index_width = l.overlap ? 2 * index_dim : index_dim;
        l.index_at = s.rows_floats;
        s.rows_floats += blocks * index_dim;
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

}  // namespace ambit::inference
