#include "daemon/handlers/client_requests.h"

#include <nlohmann/json.hpp>

namespace ambit::daemon {

using nlohmann::json;

namespace {
constexpr std::chrono::milliseconds kNoLimit{0};
}  // namespace

Result<AppliedEdit> apply_edit(FeatureRun& run, const json& edit, const json& label,
                               bool is_refactoring) {
  const auto client = run.session->client_info();
  if (!client.apply_edit) {
    return make_error(Code::kUnsupported, "this editor does not apply edits of a server");
  }
  json params = {{"edit", edit}};
  if (label.is_string()) params["label"] = label;
  if (is_refactoring && client.edit_metadata) params["metadata"] = {{"isRefactoring", true}};
  auto answer = run.session->ask_and_wait("workspace/applyEdit", params, kNoLimit, run.stop);
  if (!answer) return answer.error();
  AppliedEdit out;
  out.applied = member(answer->value(), {"applied"}) == json(true);
  if (const json& reason = member(answer->value(), {"failureReason"}); reason.is_string()) {
    out.reason = reason;
  }
  if (const json& at = member(answer->value(), {"failedChange"}); at.is_number_unsigned()) {
    out.failed = at.get<std::uint32_t>();
  }
  return out;
}

Result<bool> show_document(FeatureRun& run, const std::string& uri, bool take_focus) {
  if (!run.session->client_info().show_document) return false;
  auto answer =
      run.session->ask_and_wait("window/showDocument", {{"uri", uri}, {"takeFocus", take_focus}},
                                std::chrono::seconds(30), run.stop);
  if (!answer) return answer.error();
  return member(answer->value(), {"success"}) == json(true);
}

Result<std::optional<std::string>> ask_user(FeatureRun& run, int type, const std::string& message,
                                            const std::vector<std::string>& actions) {
  json items = json::array();
  for (const auto& title : actions) items.push_back({{"title", title}});
  auto answer = run.session->ask_and_wait(
      "window/showMessageRequest", {{"type", type}, {"message", message}, {"actions", items}},
      kNoLimit, run.stop);
  if (!answer) return answer.error();
  const json& title = member(answer->value(), {"title"});
  if (!title.is_string()) return std::optional<std::string>();
  return std::optional(title.get<std::string>());
}

void refresh_content(const std::shared_ptr<Session>& session, const std::string& uri) {
  if (!session->client_info().text_document_content) return;
  session->ask("workspace/textDocumentContent/refresh", {{"uri", uri}});
}

}  // namespace ambit::daemon
