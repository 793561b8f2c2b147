#include "daemon/session/client_info.h"

#include <nlohmann/json.hpp>
#include <optional>

namespace ambit::daemon {

using nlohmann::json;
using Keys = std::initializer_list<std::string_view>;

const json& member(const json& value, Keys keys) {
  static const json kNull;
  const json* at = &value;
  for (const auto key : keys) {
    if (!at->is_object()) return kNull;
    const auto found = at->find(key);
    if (found == at->end()) return kNull;
    at = &*found;
  }
  return *at;
}

namespace {

bool truth(const json& value, Keys keys) {
  const json& found = member(value, keys);
  return found.is_boolean() && found.get<bool>();
}

std::string text(const json& value, Keys keys) {
  const json& found = member(value, keys);
  return found.is_string() ? found.get<std::string>() : std::string();
}

std::set<std::string> texts(const json& value, Keys keys) {
  std::set<std::string> out;
  for (const json& one : member(value, keys)) {
    if (one.is_string()) out.insert(one.get<std::string>());
  }
  return out;
}

std::set<int> numbers(const json& value, Keys keys) {
  std::set<int> out;
  for (const json& one : member(value, keys)) {
    if (one.is_number_integer()) out.insert(one.get<int>());
  }
  return out;
}

PositionEncoding encoding_of(const json& offered) {
  std::optional<PositionEncoding> first;
  for (const json& name : offered) {
    for (const auto known :
         {PositionEncoding::kUtf8, PositionEncoding::kUtf16, PositionEncoding::kUtf32}) {
      if (name != lsp::to_string(known)) continue;
      if (known == PositionEncoding::kUtf8) return known;
      if (!first) first = known;
    }
  }
  return first.value_or(PositionEncoding::kUtf16);
}

DiagnosticSupport diagnostics(const json& value) {
  DiagnosticSupport out;
  out.present = value.is_object();
  out.related = truth(value, {"relatedInformation"});
  out.code_description = truth(value, {"codeDescriptionSupport"});
  out.data = truth(value, {"dataSupport"});
  out.version = truth(value, {"versionSupport"});
  out.markup_message = truth(value, {"markupMessageSupport"});
  out.tags = numbers(value, {"tagSupport", "valueSet"});
  return out;
}

void read_workspace(const json& workspace, ClientInfo& out) {
  out.apply_edit = truth(workspace, {"applyEdit"});
  const json& edit = member(workspace, {"workspaceEdit"});
  out.document_changes = truth(edit, {"documentChanges"}) || out.name == "Neovim";
  out.resource_operations = texts(edit, {"resourceOperations"});
  out.change_annotations = member(edit, {"changeAnnotationSupport"}).is_object();
  out.edit_metadata = truth(edit, {"metadataSupport"});
  out.snippet_edits = truth(edit, {"snippetEditSupport"});
  out.configuration = truth(workspace, {"configuration"});
  out.dynamic_configuration = truth(workspace, {"didChangeConfiguration", "dynamicRegistration"});
  out.dynamic_watch = truth(workspace, {"didChangeWatchedFiles", "dynamicRegistration"});
  out.relative_patterns = truth(workspace, {"didChangeWatchedFiles", "relativePatternSupport"});
  out.diagnostic_refresh = truth(workspace, {"diagnostics", "refreshSupport"});
  out.text_document_content = member(workspace, {"textDocumentContent"}).is_object();
  out.dynamic_content = truth(workspace, {"textDocumentContent", "dynamicRegistration"});
}

void read_text_document(const json& document, ClientInfo& out) {
  out.inline_completion = member(document, {"inlineCompletion"}).is_object();
  const json& action = member(document, {"codeAction"});
  out.action_literals = member(action, {"codeActionLiteralSupport"}).is_object();
  out.action_preferred = truth(action, {"isPreferredSupport"});
  out.action_disabled = truth(action, {"disabledSupport"});
  out.action_data = truth(action, {"dataSupport"});
  out.action_documentation = truth(action, {"documentationSupport"});
  out.action_llm_tag = numbers(action, {"tagSupport", "valueSet"}).contains(1);
  out.action_resolves = texts(action, {"resolveSupport", "properties"});
  out.push = diagnostics(member(document, {"publishDiagnostics"}));
  out.pull = diagnostics(member(document, {"diagnostic"}));
  // Neovim 0.12 answers a refresh by asking for the workspace and then leaves out the files that
  // it has open: findings would come and go there with the next change only. A push reaches all.
  if (out.name == "Neovim" && out.push.present) out.pull.present = false;
  out.symbol_trees = truth(document, {"documentSymbol", "hierarchicalDocumentSymbolSupport"});
  out.prepares_rename = truth(document, {"rename", "prepareSupport"});
  const json& completion = member(document, {"completion"});
  out.completion = completion.is_object();
  out.dynamic_completion = truth(completion, {"dynamicRegistration"});
  const json& item = member(completion, {"completionItem"});
  out.label_details = truth(item, {"labelDetailsSupport"});
  out.insert_text_modes = numbers(item, {"insertTextModeSupport", "valueSet"}).contains(1);
  out.snippets = truth(item, {"snippetSupport"});
  out.markdown_documentation = texts(item, {"documentationFormat"}).contains("markdown");
  out.item_default_edit_range =
      texts(completion, {"completionList", "itemDefaults"}).contains("editRange");
}

}  // namespace

ClientInfo read_client(const json& params) {
  ClientInfo out;
  out.name = text(params, {"clientInfo", "name"});
  out.version = text(params, {"clientInfo", "version"});
  const json& caps = member(params, {"capabilities"});
  out.encoding = encoding_of(member(caps, {"general", "positionEncodings"}));
  out.status_line = truth(caps, {"experimental", "ambitStatus"});
  read_workspace(member(caps, {"workspace"}), out);
  read_text_document(member(caps, {"textDocument"}), out);
  const json& window = member(caps, {"window"});
  out.work_done_progress = truth(window, {"workDoneProgress"});
  out.show_document = truth(window, {"showDocument", "support"});
  return out;
}

}  // namespace ambit::daemon
