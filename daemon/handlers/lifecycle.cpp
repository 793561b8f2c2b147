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

void pull_settings(Session& session) {
  if (!session.client.configuration) return;
  session.ask("workspace/configuration", {{"items", json::array({{{"section", "ambit"}}})}},
              [weak = session.weak_from_this()](const Answer& answer) {
                const auto self = weak.lock();
                if (self && answer && answer->value().is_array() && !answer->value().empty()) {
                  take_settings(*self, answer->value().front());
                }
              });
}

void add_folder(Session& session, const json& uri) {
  if (!uri.is_string()) return;
  if (const auto path = lsp::path_from_uri(uri.get<std::string>())) {
    session.folders.push_back(*path);
  }
}

json content_schemes(const Features& features) {
  json schemes = json::array();
  for (const auto& content : features.contents) schemes.push_back(content.scheme);
  return schemes;
}

json capabilities(const Session& session) {
  const bool fallback = session.server.config().text("completion.fallback") == "on" ||
                        (session.server.config().text("completion.fallback") == "auto" &&
                         !session.client.inline_completion);
  json out;
  out["positionEncoding"] = session.client.encoding == PositionEncoding::kUtf8 ? "utf-8" : "utf-16";
  out["textDocumentSync"] = {
      {"openClose", true}, {"change", 2}, {"save", {{"includeText", false}}}, {"willSave", false}};
  out["inlineCompletionProvider"] = true;
  if (fallback) out["completionProvider"] = {{"resolveProvider", true}};
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
  out["workspace"] = {{"workspaceFolders", {{"supported", true}, {"changeNotifications", true}}}};
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
  if (!registrations.empty()) {
    session.ask("client/registerCapability", {{"registrations", registrations}});
  }
  pull_settings(session);
  for (const auto& folder : session.folders) (void)session.workspace_of(folder);
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
  pull_settings(session);
}

void on_folders_changed(Session& session, const json& params) {
  for (const auto& folder : member(params, {"event", "removed"})) {
    const auto path = lsp::path_from_uri(folder.at("uri").get<std::string>());
    if (path) std::erase(session.folders, *path);
  }
  for (const auto& folder : member(params, {"event", "added"})) {
    add_folder(session, folder.at("uri"));
    if (!session.folders.empty()) (void)session.workspace_of(session.folders.back());
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

void on_status(Session& session, const lsp::RequestId& id, const json&) {
  session.reply(id, json::parse(session.server.status_json()));
}

void on_stop(Session& session, const lsp::RequestId& id, const json&) {
  session.reply(id, nullptr);
  session.end();
  session.server.stop();
}

}  // namespace ambit::daemon
