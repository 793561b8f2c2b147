// Unified diffs as text: what `git diff` and `diff -u` print. Input from outside: bounded, and
// every count in it is checked against the lines that follow.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "daemon/support/result.h"
#include "indexer/git/diff.h"

namespace ambit::daemon::review {

// kInvalidArgument with the number of the line that is wrong; kResourceExhausted above 64 MiB.
// Paths that leave the root are refused.
[[nodiscard]] Result<indexer::Diff> parse_patch(std::string_view text);

struct PatchSides {
  std::string before, after;
};
// Both texts of one file of a patch. `read` gives the work tree's text, which is either side: the
// patch may be applied already or not. kInvalidArgument when it is neither.
[[nodiscard]] Result<PatchSides> sides_of(
    const indexer::FileDiff& file,
    const std::function<Result<std::string>(const std::string& path)>& read);

}  // namespace ambit::daemon::review
