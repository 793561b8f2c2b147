// The packed form of a full page's window and edge, in memory (Page::checkpoint) and on disk,
// without loss: window rows as packed KV rows (ops/packed_rows.h; fp32 when numerics are plain),
// then the edge's floats.
#pragma once

#include <string_view>

#include "daemon/support/result.h"
#include "inference/kv/page.h"

namespace ambit::inference {

[[nodiscard]] std::size_t checkpoint_bytes(const StateShape& shape);
// page: full, with window and edge.
[[nodiscard]] ByteBuffer encode_checkpoint(const StateShape& shape, const Page& page);
// checkpoint: of checkpoint_bytes(shape). Sets the page's window and edge.
void decode_checkpoint(const StateShape& shape, const ByteBuffer& checkpoint, Page& page);

// The compressed rows of a page between a shape that keeps them as floats, or farther apart, and
// its packed form.
[[nodiscard]] ByteBuffer pack_rows(const StateShape& from, const StateShape& packed,
                                   const std::uint8_t* rows);
[[nodiscard]] ByteBuffer unpack_rows(const StateShape& to, const StateShape& packed,
                                     const std::uint8_t* rows);

// A page's window rows to packed ones in the places of their floats, as devices keep them, and
// back.
void pack_window(const StateShape& shape, float* rows);
void unpack_window(const StateShape& shape, float* rows);

// A part read from disk: a copy of `bytes`, or kCorrupt when they are not `size` bytes.
[[nodiscard]] Result<ByteBuffer> page_part(std::string_view bytes, std::size_t size);

}  // namespace ambit::inference
