#include "daemon/handlers/announce.h"

#include <nlohmann/json.hpp>

#include "daemon/session/progress.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

std::string files(const WorkspaceStatus& status) {
  if (status.files_total == 0) return "";
  return std::to_string(status.files_done) + " of " + std::to_string(status.files_total) + " files";
}

// A bar per repository that is indexed for the first time. Most are done in less time than a bar
// takes to read, so it opens with the first count of files, which only long ones send.
void show_bars(Session& session) {
  for (const auto& [root, workspace] : session.workspaces()) {
    const bool settled = workspace->settled();
    const auto status = workspace->status();
    auto bar = session.indexing.find(root);
    if (settled) {
      if (bar == session.indexing.end()) continue;
      bar->second->end(std::to_string(status.files) + " files");
      session.indexing.erase(bar);
      continue;
    }
    if (status.files_total == 0) continue;
    if (bar == session.indexing.end()) {
      // Shared with other windows, so no window can cancel it.
      auto progress = std::make_unique<Progress>(session.weak_from_this(), nullptr,
                                                 std::stop_source(std::nostopstate));
      progress->begin("Ambit indexes " + workspace->name(), 0);
      bar = session.indexing.emplace(root, std::move(progress)).first;
    }
    bar->second->report(static_cast<int>(100 * status.files_done / status.files_total),
                        files(status));
  }
}

json state_of(Session& session, const inference::BackendInfo& model) {
  if (!session.config_for(nullptr).flag("enabled")) {
    return {{"state", "inactive"}, {"message", "switched off in the settings"}};
  }
  if (model.state == inference::BackendState::kUnavailable) {
    return {{"state", "error"}, {"message", model.problem}};
  }
  for (const auto& [root, workspace] : session.workspaces()) {
    if (workspace->settled()) continue;
    const auto count = files(workspace->status());
    return {{"state", "indexing"},
            {"message", workspace->name() + (count.empty() ? "" : ", " + count)}};
  }
  if (model.state == inference::BackendState::kLoading) {
    return {{"state", "loading"}, {"message", model.name}};
  }
  return {{"state", "ready"}, {"message", model.name}};
}

}  // namespace

void announce_state(Session& session, const inference::BackendInfo& model) {
  if (!session.initialized || session.shut_down) return;
  show_bars(session);
  if (!session.client.status_line) return;
  const json state = state_of(session, model);
  auto text = state.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text == session.announced_state) return;
  session.announced_state = std::move(text);
  session.notify("ambit/status", state);
}

}  // namespace ambit::daemon
