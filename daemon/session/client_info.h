// What the client said about itself in initialize: read once, then only looked at.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>

#include "daemon/session/documents.h"

namespace ambit::daemon {

// Which members of a diagnostic a client shows. Push and pull have their own.
struct DiagnosticSupport {
  bool present = false;  // the client takes diagnostics this way at all
  bool related = false, code_description = false, data = false;
  bool version = false;         // push only
  bool markup_message = false;  // pull only
  std::set<int> tags;
};

struct ClientInfo {
  std::string name, version;
  // utf-8 if offered, for that is how texts are kept; else what the client likes best.
  PositionEncoding encoding = PositionEncoding::kUtf16;
  bool inline_completion = false;

  // workspace
  bool apply_edit = false;
  bool document_changes = false;  // also for Neovim, which handles them but does not say so
  std::set<std::string> resource_operations;  // "create", "rename", "delete"
  bool change_annotations = false, edit_metadata = false, snippet_edits = false;
  bool configuration = false, dynamic_configuration = false;
  bool dynamic_watch = false, relative_patterns = false;
  bool diagnostic_refresh = false;
  bool text_document_content = false, dynamic_content = false;

  // window
  bool work_done_progress = false, show_document = false;
  bool status_line = false;  // takes `ambit/status`

  // code actions
  bool action_literals = false, action_preferred = false, action_disabled = false;
  bool action_data = false, action_documentation = false, action_llm_tag = false;
  std::set<std::string> action_resolves;  // properties that codeAction/resolve may fill in

  // diagnostics
  DiagnosticSupport push, pull;

  bool symbol_trees = false;     // takes the symbols of a document inside one another
  bool prepares_rename = false;  // asks textDocument/prepareRename first

  // textDocument/completion
  bool dynamic_completion = false;
  bool completion = false, label_details = false, insert_text_modes = false;
  bool item_default_edit_range = false, snippets = false;
  bool markdown_documentation = false;

  // An edit of several files may be resolved lazily by this client.
  [[nodiscard]] bool resolves_edits() const {
    return action_literals && action_data && action_resolves.contains("edit");
  }
};

// Reads the params of initialize; whatever is missing or has the wrong type counts as not offered.
[[nodiscard]] ClientInfo read_client(const nlohmann::json& initialize_params);

// A member of nested objects; null when any level is missing. The result lives as long as value.
[[nodiscard]] const nlohmann::json& member(const nlohmann::json& value,
                                           std::initializer_list<std::string_view> keys);

}  // namespace ambit::daemon
