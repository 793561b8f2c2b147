// Moves a function or class from one file to another, with the imports of everybody who uses it.
#pragma once

#include "daemon/assists/refactor/plan.h"
#include "indexer/index.h"

namespace ambit::daemon {

// Python, JavaScript and TypeScript modules; `to` may be new. kInvalidArgument, with the place,
// wherever it would not be exact: both files would need each other, somebody imports everything or
// reaches the name through the module, a name is taken. kUnsupported for other languages.
[[nodiscard]] Result<PlanStep> plan_move(const indexer::Snapshot& snapshot, const std::string& name,
                                         const std::string& to, std::stop_token stop = {});

}  // namespace ambit::daemon
