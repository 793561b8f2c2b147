// Code actions, commands, diagnostics and documents of ours. The review and refactor assists hang
// their rows in here.
#include <nlohmann/json.hpp>

#include "daemon/handlers/table.h"
#include "daemon/server.h"

namespace ambit::daemon {

using nlohmann::json;

void on_code_action(Session& session, const lsp::RequestId& id, const json&) {
  session.reply(id, json::array());
}

void on_code_action_resolve(Session& session, const lsp::RequestId& id, const json& action) {
  session.reply(id, action);
}

void on_execute_command(Session& session, const lsp::RequestId& id, const json& params) {
  const auto command = params.at("command").get<std::string>();
  if (command == "ambit.status") {
    return session.reply(id, json::parse(session.server.status_json()));
  }
  // The text arrives as a didChange of its own; the item stays in the cache for type-through.
  if (command == "ambit.inline.accepted") return session.reply(id, nullptr);
  session.fail(id, lsp::ErrorCode::kInvalidParams, "there is no command " + command);
}

void on_document_diagnostic(Session& session, const lsp::RequestId& id, const json&) {
  session.reply(id, {{"kind", "full"}, {"items", json::array()}});
}

void on_workspace_diagnostic(Session& session, const lsp::RequestId& id, const json&) {
  session.reply(id, {{"items", json::array()}});
}

void on_text_document_content(Session& session, const lsp::RequestId& id, const json& params) {
  session.fail(id, lsp::ErrorCode::kInvalidParams,
               "there is no document " + params.at("uri").get<std::string>());
}

void on_echo(Session& session, const lsp::RequestId& id, const json& params) {
  session.reply(id, params);
}

}  // namespace ambit::daemon
