// THE list: protocol method -> handler. Start reading in table.cpp.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "daemon/session/session.h"

namespace ambit::daemon {

struct RequestHandler {
  std::string_view method;
  void (*handle)(Session&, const lsp::RequestId&, const nlohmann::json& params);
};
struct NotificationHandler {
  std::string_view method;
  void (*handle)(Session&, const nlohmann::json& params);
};

[[nodiscard]] const RequestHandler* find_request(std::string_view method);
[[nodiscard]] const NotificationHandler* find_notification(std::string_view method);

// lifecycle.cpp
void on_initialize(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_initialized(Session&, const nlohmann::json&);
void on_shutdown(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_exit(Session&, const nlohmann::json&);
void on_configuration_changed(Session&, const nlohmann::json&);
void on_folders_changed(Session&, const nlohmann::json&);
void on_watched_files(Session&, const nlohmann::json&);
void on_set_trace(Session&, const nlohmann::json&);
// text_sync.cpp
void on_open(Session&, const nlohmann::json&);
void on_change(Session&, const nlohmann::json&);
void on_save(Session&, const nlohmann::json&);
void on_close(Session&, const nlohmann::json&);
// inline_completion.cpp
void on_inline_completion(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_completion(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_completion_resolve(Session&, const lsp::RequestId&, const nlohmann::json&);
// code_action.cpp
void on_code_action(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_code_action_resolve(Session&, const lsp::RequestId&, const nlohmann::json&);
// execute_command.cpp
void on_progress_cancel(Session&, const nlohmann::json&);
void on_execute_command(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_document_diagnostic(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_workspace_diagnostic(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_text_document_content(Session&, const lsp::RequestId&, const nlohmann::json&);
// navigation.cpp
[[nodiscard]] bool offers_navigation(Session&);
void on_definition(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_references(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_document_symbol(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_workspace_symbol(Session&, const lsp::RequestId&, const nlohmann::json&);
// own methods of the command line
void on_status(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_stop(Session&, const lsp::RequestId&, const nlohmann::json&);
void on_review(Session& session, const lsp::RequestId& id, const nlohmann::json& params);
void on_prepare_rename(Session& session, const lsp::RequestId& id, const nlohmann::json& params);
void on_rename(Session& session, const lsp::RequestId& id, const nlohmann::json& params);
void on_will_rename(Session& session, const lsp::RequestId& id, const nlohmann::json& params);
void on_plan(Session& session, const lsp::RequestId& id, const nlohmann::json& params);
void on_complete(Session&, const lsp::RequestId&, const nlohmann::json&);

}  // namespace ambit::daemon
