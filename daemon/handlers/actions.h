// Code actions and commands on one place of a document. docs/protocol.md says what each needs.
#pragma once

#include "daemon/handlers/features.h"

namespace ambit::daemon {

// Extract to a variable or a function: by syntax, ready at once, no model.
[[nodiscard]] ActionProvider extract_actions();
// Explain, document, write a test, rewrite as a comment says: by the model, when somebody asks.
[[nodiscard]] ActionProvider model_actions();
// Fix a diagnostic, whoever reported it: by the model, when somebody asks.
[[nodiscard]] ActionProvider fix_actions();

// ambit.explain [{uri, range}] -> {text, uri}: Markdown, shown as a document where the editor can.
[[nodiscard]] Result<lsp::Json> explain_command(FeatureRun& run, const nlohmann::json& arguments);
// ambit.rewrite [{uri, range, instruction}] -> null: applied through the editor.
[[nodiscard]] Result<lsp::Json> rewrite_command(FeatureRun& run, const nlohmann::json& arguments);
// ambit.show [{uri}] -> null: the editor shows the file.
[[nodiscard]] Result<lsp::Json> show_command(FeatureRun& run, const nlohmann::json& arguments);
// "ambit-answer:/N.md"
[[nodiscard]] Result<std::string> answer_document(FeatureRun& run, const std::string& uri);

}  // namespace ambit::daemon
