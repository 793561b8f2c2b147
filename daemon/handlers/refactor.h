// Refactors for editors: ambit.refactor plans, ambit.refactor.preview shows, ambit.refactor.apply
// carries out, ambit.refactor.undo takes back (ambit.refactor.hunks says what of a change there is
// to take back), ambit.refactor.list says what there is. The rows are in features.cpp;
// docs/protocol.md has the arguments.
//
// Open documents are changed through the editor (workspace/applyEdit with versions), all others on
// disk, as one journalled change: the editor is asked after everything else that can fail was done,
// and a refusal leaves the disk as it was.
#pragma once

#include "daemon/handlers/features.h"

namespace ambit::daemon {

[[nodiscard]] Result<lsp::Json> refactor_plan(FeatureRun& run, const nlohmann::json& arguments);
[[nodiscard]] Result<lsp::Json> refactor_preview(FeatureRun& run, const nlohmann::json& arguments);
[[nodiscard]] Result<lsp::Json> refactor_apply(FeatureRun& run, const nlohmann::json& arguments);
[[nodiscard]] Result<lsp::Json> refactor_undo(FeatureRun& run, const nlohmann::json& arguments);
[[nodiscard]] Result<lsp::Json> refactor_hunks(FeatureRun& run, const nlohmann::json& arguments);
[[nodiscard]] Result<lsp::Json> refactor_list(FeatureRun& run, const nlohmann::json& arguments);

// "ambit-preview:/PLAN.diff"
[[nodiscard]] Result<std::string> refactor_document(FeatureRun& run, const std::string& uri);

}  // namespace ambit::daemon
