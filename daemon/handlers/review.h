// Reviews in the editor: the commands, their diagnostics and quick fixes.
#pragma once

#include "daemon/handlers/features.h"

namespace ambit::daemon {

// ambit.review [{uri, scope?: "staged"|"worktree"|"range", range?}] -> {findings, notes}: facts
// and, where the model is capable, its findings; shown as diagnostics of the files that they are
// in. Unsaved text counts in the scope "worktree", which is the default.
[[nodiscard]] Result<lsp::Json> review_command_lsp(FeatureRun& run,
                                                   const nlohmann::json& arguments);
// ambit.review.clear [] -> null: takes the diagnostics back.
[[nodiscard]] Result<lsp::Json> review_clear_lsp(FeatureRun& run, const nlohmann::json& arguments);
// Quick fixes of the diagnostics in the range, by their data.
[[nodiscard]] ActionProvider review_fixes();

}  // namespace ambit::daemon
