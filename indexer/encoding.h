// Texts that are not UTF-8. The index reads UTF-8; files in UTF-16 (with a byte order mark, as
// Windows tools write them) are read as the UTF-8 that they mean, so all positions are of that.
#pragma once

#include <string>
#include <string_view>

namespace ambit::indexer {

[[nodiscard]] bool is_utf16(std::string_view content);
// Without the mark. Half a surrogate pair and an odd last byte become U+FFFD.
[[nodiscard]] std::string utf8_of_utf16(std::string_view content);

}  // namespace ambit::indexer
