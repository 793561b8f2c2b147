// Puts what was parsed again in the place of what was known.
#pragma once

#include <optional>
#include <vector>

#include "indexer/syntax/change.h"
#include "indexer/syntax/incremental.h"
#include "indexer/syntax/skim.h"

namespace ambit::indexer {

// What was parsed again, in the old text: all of `whole` but what was cut out of it.
struct Replaced {
  ByteSpan whole;
  const std::vector<ByteSpan>& cuts;  // in order
  [[nodiscard]] bool contains(std::uint32_t at) const;
};

// `part` are facts of the new text. Nothing when a fact that would stay covers the change.
[[nodiscard]] std::optional<LiveFacts> splice(const LiveFacts& before, LiveFacts part,
                                              const TextChange& change, const Replaced& again);

// What was parsed at `begin` of the text, without the cuts (places relative to `begin`), gets its
// places in the text.
void put_in_place(LiveFacts& part, const Cuts& cuts, std::string_view text, std::uint32_t begin);

}  // namespace ambit::indexer
