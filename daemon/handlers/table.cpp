#include "daemon/handlers/table.h"

#include <array>

namespace ambit::daemon {

namespace {

constexpr std::array kRequests{
    RequestHandler{"initialize", on_initialize},
    RequestHandler{"shutdown", on_shutdown},
    RequestHandler{"textDocument/inlineCompletion", on_inline_completion},
    RequestHandler{"textDocument/completion", on_completion},
    RequestHandler{"completionItem/resolve", on_completion_resolve},
    RequestHandler{"textDocument/codeAction", on_code_action},
    RequestHandler{"codeAction/resolve", on_code_action_resolve},
    RequestHandler{"textDocument/definition", on_definition},
    RequestHandler{"textDocument/references", on_references},
    RequestHandler{"textDocument/documentSymbol", on_document_symbol},
    RequestHandler{"workspace/symbol", on_workspace_symbol},
    RequestHandler{"textDocument/prepareRename", on_prepare_rename},
    RequestHandler{"textDocument/rename", on_rename},
    RequestHandler{"workspace/executeCommand", on_execute_command},
    RequestHandler{"textDocument/diagnostic", on_document_diagnostic},
    RequestHandler{"workspace/diagnostic", on_workspace_diagnostic},
    RequestHandler{"workspace/textDocumentContent", on_text_document_content},
    RequestHandler{"workspace/willRenameFiles", on_will_rename},
    // Of our own command line.
    RequestHandler{"ambit/status", on_status},
    RequestHandler{"ambit/stop", on_stop},
    RequestHandler{"ambit/complete", on_complete},
    RequestHandler{"ambit/review", on_review},
    RequestHandler{"ambit/plan", on_plan},
};

constexpr std::array kNotifications{
    NotificationHandler{"initialized", on_initialized},
    NotificationHandler{"exit", on_exit},
    NotificationHandler{"textDocument/didOpen", on_open},
    NotificationHandler{"textDocument/didChange", on_change},
    NotificationHandler{"textDocument/didSave", on_save},
    NotificationHandler{"textDocument/didClose", on_close},
    NotificationHandler{"workspace/didChangeConfiguration", on_configuration_changed},
    NotificationHandler{"workspace/didChangeWorkspaceFolders", on_folders_changed},
    NotificationHandler{"workspace/didChangeWatchedFiles", on_watched_files},
    NotificationHandler{"window/workDoneProgress/cancel", on_progress_cancel},
    NotificationHandler{"$/setTrace", on_set_trace},
};

}  // namespace

const RequestHandler* find_request(std::string_view method) {
  for (const auto& handler : kRequests) {
    if (handler.method == method) return &handler;
  }
  return nullptr;
}

const NotificationHandler* find_notification(std::string_view method) {
  for (const auto& handler : kNotifications) {
    if (handler.method == method) return &handler;
  }
  return nullptr;
}

}  // namespace ambit::daemon
