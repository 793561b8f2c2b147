#include "inference/kv/page_codec.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "inference/ops/packed_rows.h"

namespace ambit::inference {
namespace {

std::size_t window_rows(const StateShape& s) {
  return s.window_floats / s.head_dim;
}

std::size_t window_row_bytes(const StateShape& s) {
  return s.rounded ? ops::kv_row_bytes(s.head_dim, s.rope) : 4 * s.head_dim;
}

// Calls f(offset in one, offset in the other) for every attention row of a page, and g the same way
// for every block of index keys.
template <class F, class G>
void each_row(const StateShape& one, const StateShape& other, const F& f, const G& g) {
  for (std::size_t i = 0; i < one.layers.size(); ++i) {
    const LayerShape& from = one.layers[i];
    const LayerShape& to = other.layers[i];
    if (from.ratio == 0) continue;
    const auto n = static_cast<std::size_t>(kPageTokens / from.ratio);
    for (std::size_t r = 0; r < n; ++r) {
      f(from.rows_at + r * one.row_bytes, to.rows_at + r * other.row_bytes);
    }
    if (from.index_width != 0) g(from.index_at, to.index_at);
  }
}

// Packed rows from one distance between them to another.
ByteBuffer move_rows(const StateShape& from, const StateShape& to, const std::uint8_t* rows) {
  ByteBuffer out(to.rows_bytes);
  std::memset(out.data(), 0, to.rows_bytes);
  each_row(
      from, to,
      [&](std::size_t at, std::size_t there) {
        std::memcpy(out.data() + there, rows + at, std::min(from.row_bytes, to.row_bytes));
      },
      [&](std::size_t at, std::size_t there) {
        std::memcpy(out.data() + there, rows + at, to.index_block_bytes);
      });
  return out;
}

Error wrong_size() {
  return make_error(Code::kCorrupt, "a stored page does not have the size of this model's pages");
}

}  // namespace

std::size_t checkpoint_bytes(const StateShape& s) {
  return window_rows(s) * window_row_bytes(s) + 4 * s.edge_floats;
}

ByteBuffer encode_checkpoint(const StateShape& s, const Page& page) {
  ByteBuffer out(checkpoint_bytes(s));
  std::uint8_t* at = out.data();
  for (std::size_t r = 0; r < window_rows(s); ++r, at += window_row_bytes(s)) {
    const float* row = page.window.data() + r * s.head_dim;
    if (s.rounded) {
      ops::pack_kv_row(row, s.head_dim, s.rope, at);
    } else {
      std::memcpy(at, row, 4 * s.head_dim);
    }
  }
  std::memcpy(at, page.edge.data(), 4 * s.edge_floats);
  return out;
}

void decode_checkpoint(const StateShape& s, const ByteBuffer& checkpoint, Page& page) {
  page.window = FloatBuffer(s.window_floats);
  page.edge = FloatBuffer(s.edge_floats);
  const std::uint8_t* at = checkpoint.data();
  for (std::size_t r = 0; r < window_rows(s); ++r, at += window_row_bytes(s)) {
    float* row = page.window.data() + r * s.head_dim;
    if (s.rounded) {
      ops::unpack_kv_rows_cpu(&at, 1, s.head_dim, s.rope, row);
    } else {
      std::memcpy(row, at, 4 * s.head_dim);
    }
  }
  std::memcpy(page.edge.data(), at, 4 * s.edge_floats);
}

ByteBuffer pack_rows(const StateShape& floats, const StateShape& packed, const std::uint8_t* rows) {
  if (floats.packed) return move_rows(floats, packed, rows);
  ByteBuffer out(packed.rows_bytes);
  std::vector<float> row(std::max(floats.head_dim, floats.index_dim));
  each_row(
      floats, packed,
      [&](std::size_t from, std::size_t to) {
        std::memcpy(row.data(), rows + from, 4 * floats.head_dim);
        ops::pack_kv_row(row.data(), floats.head_dim, floats.rope, out.data() + to);
      },
      [&](std::size_t from, std::size_t to) {
        for (std::size_t column = 0; column < ops::kKeyBlock; ++column) {
          for (std::size_t i = 0; i < floats.index_dim; ++i) {
            std::memcpy(&row[i], rows + from + 4 * (i * ops::kKeyBlock + column), 4);
          }
          ops::pack_key(row.data(), floats.index_dim, column, out.data() + to);
        }
      });
  return out;
}

ByteBuffer unpack_rows(const StateShape& floats, const StateShape& packed,
                       const std::uint8_t* rows) {
  if (floats.packed) return move_rows(packed, floats, rows);
  ByteBuffer out(floats.rows_bytes);
  std::vector<float> row(std::max(floats.head_dim, floats.index_dim));
  each_row(
      floats, packed,
      [&](std::size_t to, std::size_t from) {
        const std::uint8_t* packed_row = rows + from;
        ops::unpack_kv_rows_cpu(&packed_row, 1, floats.head_dim, floats.rope, row.data());
        std::memcpy(out.data() + to, row.data(), 4 * floats.head_dim);
      },
      [&](std::size_t to, std::size_t from) {
        for (std::size_t column = 0; column < ops::kKeyBlock; ++column) {
          ops::unpack_key(rows + from, floats.index_dim, column, row.data());
          for (std::size_t i = 0; i < floats.index_dim; ++i) {
            std::memcpy(out.data() + to + 4 * (i * ops::kKeyBlock + column), &row[i], 4);
          }
        }
      });
  return out;
}

void pack_window(const StateShape& s, float* rows) {
  std::vector<float> row(s.head_dim);
  for (std::size_t r = 0; r < window_rows(s); ++r) {
    float* place = rows + r * s.head_dim;
    std::memcpy(row.data(), place, 4 * s.head_dim);
    ops::pack_kv_row(row.data(), s.head_dim, s.rope, reinterpret_cast<std::uint8_t*>(place));
  }
}

void unpack_window(const StateShape& s, float* rows) {
  std::vector<std::uint8_t> row(ops::kv_row_bytes(s.head_dim, s.rope));
  for (std::size_t r = 0; r < window_rows(s); ++r) {
    float* place = rows + r * s.head_dim;
    std::memcpy(row.data(), place, row.size());
    const std::uint8_t* packed = row.data();
    ops::unpack_kv_rows_cpu(&packed, 1, s.head_dim, s.rope, place);
  }
}

Result<ByteBuffer> page_part(std::string_view bytes, std::size_t size) {
  if (bytes.size() != size) return wrong_size();
  ByteBuffer out(size);
  std::memcpy(out.data(), bytes.data(), size);
  return out;
}

}  // namespace ambit::inference
