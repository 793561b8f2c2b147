// A page's parts as bytes and back, without loss. Rounded rows take the format that they were
// rounded to: a KV row of 512 with 64 roped values is 448 B of FP8 codes, 7 B of scales and 128 B
// of BF16; an index key of 128 is 64 B of FP4 codes and 4 B of scales. Unrounded rows are stored as
// fp32.
#pragma once

#include <string>
#include <string_view>

#include "daemon/support/result.h"
#include "inference/kv/page.h"

namespace ambit::inference {

// Compressed rows of a full page.
[[nodiscard]] std::string encode_rows(const StateShape& shape, const Page& page);
// Window rows and edge of a full page that has both.
[[nodiscard]] std::string encode_checkpoint(const StateShape& shape, const Page& page);

// Fill the page's part; kCorrupt when the bytes do not have the size that the shape asks for.
[[nodiscard]] Result<void> decode_rows(const StateShape& shape, std::string_view bytes, Page& page);
[[nodiscard]] Result<void> decode_checkpoint(const StateShape& shape, std::string_view bytes,
                                             Page& page);

}  // namespace ambit::inference
