#include <nlohmann/json.hpp>

#include "daemon/handlers/features.h"
#include "daemon/handlers/table.h"
#include "daemon/server.h"
#include "daemon/support/trace.h"
#include "daemon/version.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

void flatten(const json& value, const std::string& prefix,
             std::vector<std::pair<std::string, SettingValue>>& out) {
  for (const auto& [key, member] : value.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (member.is_object()) {
      flatten(member, name, out);
    } else if (member.is_boolean()) {
      out.emplace_back(name, member.get<bool>());
    } else if (member.is_number_integer()) {
      out.emplace_back(name, member.get<std::int64_t>());
    } else if (member.is_number()) {
      out.emplace_back(name, member.get<double>());
    } else if (member.is_string()) {
      out.emplace_back(name, member.get<std::string>());
    }
  }
}

void take_settings(Session& session, const json& settings) {
  if (!settings.is_object()) return;
  session.editor_settings.clear();
  flatten(
      settings.contains("ambit") && settings["ambit"].is_object() ? settings["ambit"] : settings,
      "", session.editor_settings);
  // A model is chosen once per daemon, not per window; and paths of programs are not an editor's
  // workspace to set.
  std::erase_if(session.editor_settings, [](const auto& pair) {
    const Setting* setting = find_setting(pair.first);
    return setting == nullptr || !setting->safe;
  });
}

// Does this editor get completions in the ordinary list?
bool wants_list(Session& session) {
  const std::string setting = session.config_for(nullptr).text("completion.fallback");
  return setting == "on" || (setting == "auto" && !session.client.inline_completion);
}

// The setting can come and change at any time; editors that can are told then.
void register_list(Session& session) {
  if (!session.client.dynamic_completion || wants_list(session) == session.list_registered) return;
  session.list_registered = !session.list_registered;
  json entry = {{"id", "ambit.completion"}, {"method", "textDocument/completion"}};
  if (session.list_registered) {
    entry["registerOptions"] = {
        {"documentSelector", json::array({{{"scheme", "file"}}, {{"scheme", "untitled"}}})},
        {"resolveProvider", true}};
    session.ask("client/registerCapability", {{"registrations", json::array({entry})}});
  } else {
    // The protocol spells it so.
    session.ask("client/unregisterCapability", {{"unregisterations", json::array({entry})}});
  }
}

void pull_settings(Session& session) {
  if (!session.client.configuration) return;
  session.ask("workspace/configuration", {{"items", json::array({{{"section", "ambit"}}})}},
              [weak = session.weak_from_this()](const Answer& answer) {
                const auto self = weak.lock();
                if (self && answer && answer->value().is_array() && !answer->value().empty()) {
                  take_settings(*self, answer->value().front());
                  register_list(*self);
                  self->server.announce_state();
                }
              });
}

void open_folder(Session& session, const std::string& folder) {
  if (session.workspace_of(folder)) return;
  log(LogLevel::kWarning, "session",
      folder + " is not indexed: it is no folder, the home directory or the whole disk");
}

void add_folder(Session& session, const json& uri) {
  if (!uri.is_string()) return;
  if (const auto path = lsp::path_from_uri(uri.get<std::string>())) {
    session.folders.push_back(*path);
  }
}

void set_trace(Session& session, const json& value) {
  if (value == "off") session.trace = Session::Trace::kOff;
  if (value == "messages") session.trace = Session::Trace::kMessages;
  if (value == "verbose") session.trace = Session::Trace::kVerbose;
}

json content_schemes(const Features& features) {
  json schemes = json::array();
  for (const auto& content : features.contents) schemes.push_back(content.scheme);
  return schemes;
}

json capabilities(Session& session) {
  json out;
  out["positionEncoding"] = lsp::to_string(session.client.encoding);
  out["textDocumentSync"] = {
      {"openClose", true}, {"change", 2}, {"save", {{"includeText", false}}}, {"willSave", false}};
  out["inlineCompletionProvider"] = true;
  if (!session.client.dynamic_completion && wants_list(session)) {
    out["completionProvider"] = {{"resolveProvider", true}};
  }
  if (offers_navigation(session)) {
    for (const auto* provider : {"definitionProvider", "referencesProvider",
                                 "documentSymbolProvider", "workspaceSymbolProvider"})
      out[provider] = true;
    out["renameProvider"] =
        session.client.prepares_rename ? json{{"prepareProvider", true}} : json(true);
  }
  const ClientInfo& client = session.client;
  const Features& features = session.server.features();
  json commands = json::array();
  for (const auto& command : features.commands) commands.push_back(command.name);
  if (!features.actions.empty()) {
    commands.push_back(kActionCommand);
    json kinds = json::array();
    for (const auto& provider : features.actions) kinds.push_back(provider.kind);
    out["codeActionProvider"] = {{"codeActionKinds", std::move(kinds)},
                                 {"resolveProvider", client.resolves_edits()},
                                 {"workDoneProgress", true}};
  }
  out["executeCommandProvider"] = {{"commands", std::move(commands)}, {"workDoneProgress", true}};
  if (client.pull.present) {
    out["diagnosticProvider"] = {{"identifier", "ambit-review"},
                                 {"interFileDependencies", true},
                                 {"workspaceDiagnostics", true}};
  }
  const json any_file{{"scheme", "file"}, {"pattern", {{"glob", "**/*"}}}};
  out["workspace"] = {{"workspaceFolders", {{"supported", true}, {"changeNotifications", true}}},
                      {"fileOperations", {{"willRename", {{"filters", json::array({any_file})}}}}}};
  if (client.text_document_content && !client.dynamic_content) {
    out["workspace"]["textDocumentContent"] = {{"schemes", content_schemes(features)}};
  }
  return out;
}

}  // namespace

void on_initialize(Session& session, const lsp::RequestId& id, const json& params) {
  session.set_client(read_client(params));
  const json folders = member(params, {"workspaceFolders"});
  if (folders.is_array() && !folders.empty()) {
    for (const auto& folder : folders) add_folder(session, member(folder, {"uri"}));
  } else if (const json root = member(params, {"rootUri"}); root.is_string()) {
    add_folder(session, root);
  } else if (const json path = member(params, {"rootPath"}); path.is_string()) {
    session.folders.push_back(path.get<std::string>());
  }
  take_settings(session, member(params, {"initializationOptions"}));
  set_trace(session, member(params, {"trace"}));
  session.initialized = true;
  session.reply(id, {{"capabilities", capabilities(session)},
                     {"serverInfo", {{"name", "ambit"}, {"version", version()}}}});
}

void on_initialized(Session& session, const json&) {
  json registrations = json::array();
  if (session.client.dynamic_watch) {
    registrations.push_back(
        {{"id", "ambit.watch"},
         {"method", "workspace/didChangeWatchedFiles"},
         {"registerOptions", {{"watchers", json::array({{{"globPattern", "**/*"}}})}}}});
  }
  if (session.client.text_document_content && session.client.dynamic_content) {
    registrations.push_back(
        {{"id", "ambit.content"},
         {"method", "workspace/textDocumentContent"},
         {"registerOptions", {{"schemes", content_schemes(session.server.features())}}}});
  }
  if (session.client.dynamic_configuration) {
    registrations.push_back({{"id", "ambit.configuration"},
                             {"method", "workspace/didChangeConfiguration"},
                             {"registerOptions", {{"section", "ambit"}}}});
  }
  if (!registrations.empty()) {
    session.ask("client/registerCapability", {{"registrations", registrations}});
  }
  register_list(session);
  pull_settings(session);
  for (const auto& folder : session.folders) open_folder(session, folder);
  session.server.announce_state();
}

void on_shutdown(Session& session, const lsp::RequestId& id, const json&) {
  session.shut_down = true;
  session.stop_all();
  session.diagnostics.finish();
  session.reply(id, nullptr);
}

void on_exit(Session& session, const json&) {
  session.end();
}

void on_configuration_changed(Session& session, const json& params) {
  if (params.is_object() && params.contains("settings")) take_settings(session, params["settings"]);
  register_list(session);
  session.server.announce_state();
  pull_settings(session);
}

void on_folders_changed(Session& session, const json& params) {
  for (const auto& folder : member(params, {"event", "removed"})) {
    const auto path = lsp::path_from_uri(folder.at("uri").get<std::string>());
    if (path) std::erase(session.folders, *path);
  }
  session.drop_unused_workspaces();
  for (const auto& folder : member(params, {"event", "added"})) {
    add_folder(session, folder.at("uri"));
    if (!session.folders.empty()) open_folder(session, session.folders.back());
  }
}

void on_watched_files(Session& session, const json& params) {
  std::map<std::shared_ptr<Workspace>, std::vector<std::filesystem::path>> changes;
  for (const auto& change : params.at("changes")) {
    const auto path = lsp::path_from_uri(change.at("uri").get<std::string>());
    if (!path) continue;
    if (const auto workspace = session.workspace_of(*path)) changes[workspace].push_back(*path);
  }
  for (const auto& [workspace, paths] : changes) workspace->changed(paths);
}

void on_set_trace(Session& session, const json& params) {
  set_trace(session, params.at("value"));
}

void on_status(Session& session, const lsp::RequestId& id, const json&) {
  session.reply(id, json::parse(session.server.status_json()));
}

void on_stop(Session& session, const lsp::RequestId& id, const json&) {
  session.reply(id, nullptr);
  session.end();
  session.server.stop();
}

}  // namespace ambit::daemon
