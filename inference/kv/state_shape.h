// What one sequence keeps per token and per block of tokens, computed once from the model's
// configuration (design notes section 3). State lies in pages of kPageTokens tokens; a page has up
// to three parts:
//   rows    compressed rows of the page's blocks: attention rows of every layer with a compressor,
//           index keys of the ratio-4 layers; packed (ops/packed_rows.h) unless numerics are plain,
//           on a device at multiples of 16 bytes.
//           Immutable once their block is complete; kept for ever.
//   window  the KV row of every token in every layer, fp32. Needed by the next window-1 tokens.
//   raw     compressor inputs (values and scores) of every token, and the final residual streams
//           (input of the MTP block). Needed to go on from any token of the page.
// Going on from token p needs `rows` of all pages before, `window` of the pages that hold tokens
// p-window+1 … p-1, and `raw` of the page of p-1; when p is a page boundary only the tail of that
// raw part, the page's `edge`. A full page that is not worked on may hold window and edge as a
// `checkpoint`, packed (page_codec.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ambit::inference {

inline constexpr std::int64_t kPageTokens = 128;

// One layer's share of a page; offsets into `rows` in bytes, all others, and counts, in floats.
struct LayerShape {
  std::int32_t ratio = 0;       // tokens per compressed row; 0: window only
  bool overlap = false;         // a block also pools the block before it
  std::size_t width = 0;        // channels of the attention compressor's raw rows: head_dim or 2·
  std::size_t index_width = 0;  // the same of the index compressor; 0: no indexer
  std::size_t rows_at = 0;      // first attention row in the `rows` part
  std::size_t index_at = 0;     // the block of index keys in the `rows` part
  std::size_t window_at = 0;    // row of token 0 in the `window` part
  std::size_t raw_at = 0;       // values of token 0 in `raw`; scores stand `width` further
  std::size_t index_raw_at = 0;
  std::size_t edge_at = 0;  // overlap only: raw rows of the page's last `ratio` tokens
  std::size_t index_edge_at = 0;
};

struct LayerKind {
  std::int32_t ratio = 0;
  bool has_indexer = false;
};

struct StateShape {
  std::vector<LayerShape> layers;  // backbone, then MTP blocks
  std::size_t head_dim = 0;
  std::size_t index_dim = 0;
  std::int64_t window = 128;
  // Whether rows are rounded (numerics other than plain): `rope` last values of a KV row to BF16,
  // the rest to FP8, index keys to FP4.
  bool rounded = false;
  // Whether rounded rows are kept in those formats; else all rows are fp32.
  bool packed = false;
  std::size_t rope = 0;
  std::size_t row_bytes = 0;          // of an attention row in `rows`
  std::size_t index_block_bytes = 0;  // of a page's index keys of one layer
  std::size_t streams = 0;  // floats of the residual streams of a token; 0: not kept (no MTP)
  std::size_t streams_at = 0;
  std::size_t rows_bytes = 0;
  std::size_t window_floats = 0;
  std::size_t raw_floats = 0;
  // The edge: raw rows of the page's last `ratio` tokens of overlapping layers, and the last
  // token's streams.
  std::size_t edge_floats = 0;
  std::size_t streams_edge_at = 0;

  struct Rows {
    std::size_t head_dim = 0;
    std::size_t rope = 0;
    std::size_t index_dim = 0;
    bool rounded = false;
    bool packed = false;  // needs rounded
  };
  // layers: of the backbone, then of the MTP blocks. Every ratio must divide kPageTokens; that of a
  // layer with an indexer is 4.
  [[nodiscard]] static StateShape make(const std::vector<LayerKind>& layers, const Rows& rows,
                                       std::int64_t window, std::size_t streams);

  // The same state with its rounded rows packed.
  [[nodiscard]] StateShape packed_form() const;

  // Pages whose window part a continuation at a page boundary needs.
  [[nodiscard]] std::size_t window_pages() const {
    return static_cast<std::size_t>((window - 1 + kPageTokens - 1) / kPageTokens);
  }
};

}  // namespace ambit::inference
