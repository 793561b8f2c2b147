// Commands and documents of ours: the rows are in features.cpp.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/handlers/client_requests.h"
#include "daemon/handlers/features.h"
#include "daemon/handlers/table.h"
#include "daemon/server.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

// The command that stands for a code action where the client cannot resolve edits: its argument is
// the action's data.
Result<lsp::Json> perform_action(FeatureRun& run, const Features& features, const json& arguments) {
  const json& data = arguments.empty() ? json() : arguments[0];
  auto edit = resolve_action(run, features, data);
  if (!edit) return edit.error();
  auto applied = apply_edit(run, edit->value(), member(data, {"title"}));
  if (!applied) return applied.error();
  if (!applied->applied) {
    return make_error(Code::kUnavailable, "the editor did not apply the edit" +
                                              std::string(applied->reason.empty() ? "" : ": ") +
                                              applied->reason);
  }
  if (!run.show.empty()) static_cast<void>(show_document(run, run.show, true));
  return lsp::Json();
}

}  // namespace

void on_execute_command(Session& session, const lsp::RequestId& id, const json& params) {
  const auto name = params.at("command").get<std::string>();
  const json arguments = params.contains("arguments") && params["arguments"].is_array()
                             ? params["arguments"]
                             : json::array();
  const Features& features = session.server.features();
  if (name == kActionCommand && !features.actions.empty()) {
    return run_feature(session, id, params, [&features, arguments](FeatureRun& run) {
      return perform_action(run, features, arguments);
    });
  }
  const auto found = std::find_if(features.commands.begin(), features.commands.end(),
                                  [&](const EditorCommand& c) { return c.name == name; });
  if (found == features.commands.end()) {
    return session.fail(id, lsp::ErrorCode::kInvalidParams, "there is no command " + name);
  }
  run_feature(session, id, params, [&command = *found, arguments](FeatureRun& run) {
    return command.run(run, arguments);
  });
}

void on_text_document_content(Session& session, const lsp::RequestId& id, const json& params) {
  const auto uri = params.at("uri").get<std::string>();
  const auto& contents = session.server.features().contents;
  const auto found = std::find_if(contents.begin(), contents.end(),
                                  [&](const auto& c) { return uri.starts_with(c.scheme + ":"); });
  if (found == contents.end()) {
    return session.fail(id, lsp::ErrorCode::kInvalidParams, "there is no document " + uri);
  }
  run_feature(session, id, params, [&provider = *found, uri](FeatureRun& run) -> Result<lsp::Json> {
    auto text = provider.text(run, uri);
    if (!text) return text.error();
    return lsp::Json(json{{"text", std::move(*text)}});
  });
}

void on_progress_cancel(Session& session, const json& params) {
  session.cancel_token(params.at("token"));
}

void on_document_diagnostic(Session& session, const lsp::RequestId& id, const json& params) {
  session.reply(id, session.diagnostics.document_report(
                        params.at("textDocument").at("uri").get<std::string>(),
                        member(params, {"previousResultId"})));
}

void on_workspace_diagnostic(Session& session, const lsp::RequestId& id, const json& params) {
  session.begin_request(id, [id](Session& s) {
    if (s.diagnostics.cancel(id)) s.fail(id, lsp::ErrorCode::kRequestCancelled, "cancelled");
  });
  session.diagnostics.workspace_report(id, params);
}

}  // namespace ambit::daemon
