// Changes what a function takes: its declarations, its body's signature and all calls.
#pragma once

#include "daemon/assists/refactor/refactor.h"

namespace ambit::daemon {

// Adds, removes or reorders parameters. Calls that are not sure to mean the function are said in
// `notes` and left alone. kInvalidArgument, with the place, wherever it would not be exact:
// overloads, a caller that passes a list of unknown length or too few arguments, a parameter that
// the body still uses, a use that is no call (unless a default serves it).
[[nodiscard]] Result<std::vector<PlanStep>> plan_signature(const indexer::Snapshot& snapshot,
                                                           const RefactorRequest& request,
                                                           const Instruction& instruction,
                                                           std::vector<std::string>& notes,
                                                           std::stop_token stop);

}  // namespace ambit::daemon
