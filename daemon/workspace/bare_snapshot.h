// A snapshot of what is open and nothing else: single-file mode, and every workspace
// until its first index is there.
#pragma once

#include <memory>

#include "indexer/index.h"

namespace ambit::daemon {

// Buffers come with with_buffers().
[[nodiscard]] std::shared_ptr<const indexer::Snapshot> bare_snapshot();

}  // namespace ambit::daemon
