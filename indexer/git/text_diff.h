// Differences between two texts that need no repository: what edits, previews and undo work with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::indexer {

// Lines [old_begin, old_begin + old_count) of one text stand for lines [new_begin, …) of the other.
// 0-based; a line ends behind its '\n', the last one may lack it.
struct LineHunk {
  std::uint32_t old_begin = 0, old_count = 0;
  std::uint32_t new_begin = 0, new_count = 0;
  friend bool operator==(const LineHunk&, const LineHunk&) = default;
};

// Without context, by position. Any bytes are compared as text. minimal: the smallest difference,
// for short texts. kResourceExhausted above 512 MiB.
[[nodiscard]] Result<std::vector<LineHunk>> diff_lines(std::string_view old_text,
                                                       std::string_view new_text,
                                                       bool minimal = false);

// One file of a unified diff as git prints it; "" when nothing differs. nullopt: the file does not
// exist on that side.
[[nodiscard]] Result<std::string> unified_diff(const std::string& path,
                                               std::optional<std::string_view> old_text,
                                               std::optional<std::string_view> new_text,
                                               std::uint32_t context_lines = 3);

}  // namespace ambit::indexer
