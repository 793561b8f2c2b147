// The delta log D: what has changed since the stable part was frozen, appended and never rewritten
// while it fits, so that an edit costs the tokens of its own hunks.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/pack.h"

namespace ambit::indexer::context {

struct DeltaLog {
  std::vector<PackSpan> spans;          // oldest first; later ones hold where two speak of one file
  std::map<std::string, BlobId> blobs;  // what the log says a file is now, if not as it was frozen
};

// Brings the log up to the snapshot: appends what is new, or writes it anew when a file is again as
// it was frozen or when the log is longer than `budget` tokens. `except`: a path that is left out
// (its text stands at the cursor). False: not everything fits; the stable part is worn out.
[[nodiscard]] bool update_delta(DeltaLog& log, const StablePart& stable, const Snapshot& snapshot,
                                std::string_view except, const TokenCounter& count,
                                std::int64_t budget);

}  // namespace ambit::indexer::context
