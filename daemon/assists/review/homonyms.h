// Uses of one definition where others of its name stand elsewhere.
//
// The name alone proves nothing then, so only uses count that name the file itself: an import of
// it, what such an import brought in, uses in the file, and in Go uses of its package.
#pragma once

#include <vector>

#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/uses.h"

namespace ambit::daemon::review {

// Whether the language has such uses.
[[nodiscard]] bool told_by_file(indexer::Language language);

// The uses, imports first, at most 200; none when an import could mean another as well. `symbol`
// stands (or stood) at the level of `file`; `others` are all other definitions of the name.
[[nodiscard]] std::vector<Use> uses_of_this_one(const RuleContext& context, Texts& texts,
                                                const ChangedFile& file,
                                                const indexer::Symbol& symbol,
                                                const std::vector<indexer::Symbol>& others);

}  // namespace ambit::daemon::review
