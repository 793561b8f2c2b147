#include <nlohmann/json.hpp>

#include "daemon/handlers/table.h"
#include "daemon/server.h"
#include "daemon/support/trace.h"
#include "daemon/version.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

// A member of nested objects; null when any level is missing.
json at_path(const json& value, std::initializer_list<const char*> keys) {
  const json* at = &value;
  for (const char* key : keys) {
    if (!at->is_object() || !at->contains(key)) return nullptr;
    at = &(*at)[key];
  }
  return *at;
}

bool truth(const json& value, std::initializer_list<const char*> keys) {
  const json found = at_path(value, keys);
  return found.is_boolean() && found.get<bool>();
}

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
              [weak = session.weak_from_this()](const json& result) {
                const auto self = weak.lock();
                if (self && result.is_array() && !result.empty()) take_settings(*self, result[0]);
              });
}

void add_folder(Session& session, const json& uri) {
  if (!uri.is_string()) return;
  if (const auto path = lsp::path_from_uri(uri.get<std::string>())) {
    session.folders.push_back(*path);
  }
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
  out["executeCommandProvider"] = {
      {"commands", json::array({"ambit.inline.accepted", "ambit.status"})}};
  out["workspace"] = {{"workspaceFolders", {{"supported", true}, {"changeNotifications", true}}}};
  return out;
}

}  // namespace

void on_initialize(Session& session, const lsp::RequestId& id, const json& params) {
  const json caps = params.is_object() ? params.value("capabilities", json::object()) : json();
  const json name = at_path(params, {"clientInfo", "name"});
  session.client.name = name.is_string() ? name.get<std::string>() : "";
  const json encodings = at_path(caps, {"general", "positionEncodings"});
  if (encodings.is_array()) {
    for (const auto& encoding : encodings) {
      if (encoding == "utf-8") session.client.encoding = PositionEncoding::kUtf8;
    }
  }
  session.client.inline_completion =
      at_path(caps, {"textDocument", "inlineCompletion"}).is_object();
  session.client.document_changes =
      truth(caps, {"workspace", "workspaceEdit", "documentChanges"}) ||
      session.client.name == "Neovim";
  session.client.work_done_progress = truth(caps, {"window", "workDoneProgress"});
  session.client.configuration = truth(caps, {"workspace", "configuration"});
  session.client.dynamic_watch =
      truth(caps, {"workspace", "didChangeWatchedFiles", "dynamicRegistration"});
  session.client.diagnostic_refresh = truth(caps, {"workspace", "diagnostics", "refreshSupport"});
  session.client.show_document = truth(caps, {"window", "showDocument", "support"});
  const json folders = at_path(params, {"workspaceFolders"});
  if (folders.is_array() && !folders.empty()) {
    for (const auto& folder : folders) add_folder(session, at_path(folder, {"uri"}));
  } else if (const json root = at_path(params, {"rootUri"}); root.is_string()) {
    add_folder(session, root);
  } else if (const json path = at_path(params, {"rootPath"}); path.is_string()) {
    session.folders.push_back(path.get<std::string>());
  }
  take_settings(session, at_path(params, {"initializationOptions"}));
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
  if (!registrations.empty()) {
    session.ask("client/registerCapability", {{"registrations", registrations}});
  }
  pull_settings(session);
  for (const auto& folder : session.folders) (void)session.workspace_of(folder);
}

void on_shutdown(Session& session, const lsp::RequestId& id, const json&) {
  session.shut_down = true;
  for (auto& [uri, state] : session.states) state.stop.request_stop();
  session.reply(id, nullptr);
}

void on_exit(Session& session, const json&) {
  session.end();
}

void on_ignored(Session&, const json&) {}

void on_configuration_changed(Session& session, const json& params) {
  if (params.is_object() && params.contains("settings")) take_settings(session, params["settings"]);
  pull_settings(session);
}

void on_folders_changed(Session& session, const json& params) {
  for (const auto& folder : at_path(params, {"event", "removed"})) {
    const auto path = lsp::path_from_uri(folder.at("uri").get<std::string>());
    if (path) std::erase(session.folders, *path);
  }
  for (const auto& folder : at_path(params, {"event", "added"})) {
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
