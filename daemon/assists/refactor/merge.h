// Three texts: `base`, which we wrote; `theirs`, what stood there before us; and `current`, what
// the user has made of base since. merge_back() takes our hunks out of current and leaves
// everything that the user changed.
//
// Hunks are compared by lines first. Where the user touched the same lines, the words of those
// lines decide; where the user touched the same words, the user's text stays and a conflict is
// reported.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "indexer/git/text_diff.h"

namespace ambit::daemon {

struct MergeConflict {
  std::uint32_t line = 0;  // 0-based, in the merged text
  std::string reason;
};

struct Merged {
  std::string text;
  std::size_t taken = 0;    // hunks of ours that are out now
  std::size_t already = 0;  // hunks that were out before
  std::vector<MergeConflict> conflicts;
};

// wanted(i): should hunk i of diff_lines(base, theirs) go? Empty: all.
[[nodiscard]] Result<Merged> merge_back(std::string_view base, std::string_view theirs,
                                        std::string_view current,
                                        const std::function<bool(std::size_t)>& wanted = {});

}  // namespace ambit::daemon
