// Moves whole files: every import that names one of them is written anew.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/assists/refactor/imports.h"
#include "daemon/assists/refactor/plan.h"
#include "indexer/index.h"

namespace ambit::daemon {

// Old path -> new path, files only.
using Moves = std::map<std::string, std::string>;

// The edits that keep every import meaning what it means when the files move, per file by its old
// path. `notes` says what else names the files (build files, documents). kUnsupported for files of
// other languages, kInvalidArgument where it cannot be exact, each with the place.
[[nodiscard]] Result<std::vector<PlanFile>> import_edits(const indexer::Snapshot& snapshot,
                                                         const Moves& moves,
                                                         std::vector<std::string>& notes,
                                                         std::stop_token stop = {});

// "move FILE to FILE": the files move, with import_edits().
[[nodiscard]] Result<PlanStep> plan_file_moves(const indexer::Snapshot& snapshot,
                                               const Moves& moves, std::vector<std::string>& notes,
                                               std::stop_token stop = {});

}  // namespace ambit::daemon
