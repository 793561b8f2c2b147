// What we ask of the editor, typed. All for worker threads: each waits for the answer, the stop
// token or the end of the session. On the strand use Session::ask.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/handlers/features.h"

namespace ambit::daemon {

struct AppliedEdit {
  bool applied = false;
  std::string reason;                   // of the client; often empty, VS Code gives none
  std::optional<std::uint32_t> failed;  // index of the change that failed
};

// workspace/applyEdit. The answer stays open until the user decided about a preview, so this can
// take as long as a person does; it is not sent to a client that did not offer it (kUnsupported).
// It can arrive before the didChange that it causes. is_refactoring goes along as metadata where
// the client takes it: VS Code then saves what it changed in several files, and opens no tabs.
[[nodiscard]] Result<AppliedEdit> apply_edit(FeatureRun& run, const nlohmann::json& edit,
                                             const nlohmann::json& label,
                                             bool is_refactoring = false);

// window/showDocument; false when the client cannot or does not.
[[nodiscard]] Result<bool> show_document(FeatureRun& run, const std::string& uri, bool take_focus);

// window/showMessageRequest; at most three actions. nullopt: dismissed.
[[nodiscard]] Result<std::optional<std::string>> ask_user(FeatureRun& run, int type,
                                                          const std::string& message,
                                                          const std::vector<std::string>& actions);

// workspace/textDocumentContent/refresh for a document of ours; any thread, does not wait.
void refresh_content(const std::shared_ptr<Session>& session, const std::string& uri);

}  // namespace ambit::daemon
