#include "daemon/forward/mirror.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ambit::daemon {

namespace {

using nlohmann::json;

constexpr std::string_view kReplayId = "\"ambit-replay\"";
constexpr std::size_t kMaxPending = 10000;

std::string text_of(const json& message) {
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string note(const char* method, json params) {
  return text_of({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
}

bool took(std::map<std::string, int>& counts, const std::string& id) {
  const auto found = counts.find(id);
  if (found == counts.end()) return false;
  if (--found->second == 0) counts.erase(found);
  return true;
}

}  // namespace

bool Mirror::from_editor(const MessageHead& head, const std::string& body) {
  if (head.is_response()) {
    const std::string id(head.id);
    if (took(stale_, id)) return false;
    (void)took(asked_, id);
    return true;
  }
  if (head.is_request() && pending_.size() < kMaxPending) {
    pending_.push_back({std::string(head.id), body});
  }
  if (head.method == "initialize") {
    initialize_ = body;
    initialize_id_ = head.id;
  } else if (head.method == "shutdown") {
    shut_down_ = true;
  } else if (head.method.starts_with("textDocument/did")) {
    text_message(head.method, head.params);
  } else if (head.method == "workspace/didChangeConfiguration") {
    configuration_ = body;
  } else if (head.method == "workspace/didChangeWorkspaceFolders") {
    folders_changed(head.params);
  }
  return true;
}

Mirror::Route Mirror::from_daemon(const MessageHead& head, const std::string& body) {
  if (head.is_response()) {
    if (head.id == kReplayId) return Route::kDrop;
    const auto found = std::find_if(pending_.begin(), pending_.end(),
                                    [&](const Asked& asked) { return asked.id == head.id; });
    if (found == pending_.end()) return Route::kPass;
    // The only member of the result that the forwarder needs; a JSON tree of it is not worth its
    // memory.
    for (const auto known : {PositionEncoding::kUtf8, PositionEncoding::kUtf32}) {
      const auto said = "\"positionEncoding\":\"" + std::string(lsp::to_string(known)) + '"';
      if (head.id == initialize_id_ && body.find(said) != std::string::npos) encoding_ = known;
    }
    pending_.erase(found);
    return Route::kPass;
  }
  if (head.method == "$/progress") progress(head.params);
  if (!head.is_request()) return Route::kPass;
  if (head.method == "client/registerCapability" && !registration(head.params)) {
    return Route::kAnswer;
  }
  if (head.method == "client/unregisterCapability") unregistration(head.params);
  ++asked_[std::string(head.id)];
  return Route::kPass;
}

void Mirror::text_message(std::string_view method, std::string_view params_text) {
  const auto params = json::parse(params_text, nullptr, false);
  if (!params.is_object()) return;
  try {
    const auto& item = params.at("textDocument");
    const auto uri = item.at("uri").get<std::string>();
    if (method == "textDocument/didOpen") {
      documents_.open(uri, item.value("languageId", ""), item.value("version", 0),
                      item.at("text").get<std::string>());
    } else if (method == "textDocument/didClose") {
      documents_.close(uri);
    } else if (method == "textDocument/didChange") {
      Document* document = documents_.find(uri);
      if (document == nullptr) return;
      for (const auto& change : params.at("contentChanges")) {
        const auto text = change.at("text").get<std::string>();
        if (!change.contains("range")) {
          documents_.replace(*document, text);
          continue;
        }
        const auto at = [&](const char* which) {
          const auto& p = change["range"].at(which);
          return Position{p.at("line").get<std::uint32_t>(),
                          p.at("character").get<std::uint32_t>()};
        };
        documents_.replace(*document, at("start"), at("end"), text, encoding_);
      }
      document->version = item.value("version", document->version + 1);
    }
  } catch (const json::exception&) {
    return;
  }
}

// The next daemon gets them with initialize.
void Mirror::folders_changed(std::string_view params_text) {
  const auto params = json::parse(params_text, nullptr, false);
  auto initialize = json::parse(initialize_, nullptr, false);
  if (!params.is_object() || !initialize.is_object()) return;
  try {
    const auto& event = params.at("event");
    auto& folders = initialize.at("params")["workspaceFolders"];
    if (!folders.is_array()) folders = json::array();
    for (const auto& removed : event.value("removed", json::array())) {
      const auto gone = [&](const json& folder) { return folder.at("uri") == removed.at("uri"); };
      for (std::size_t i = folders.size(); i-- > 0;) {
        if (gone(folders[i])) folders.erase(i);
      }
    }
    for (const auto& added : event.value("added", json::array())) folders.push_back(added);
  } catch (const json::exception&) {
    return;
  }
  initialize_ = text_of(initialize);
}

void Mirror::progress(std::string_view params_text) {
  const auto params = json::parse(params_text, nullptr, false);
  if (!params.is_object() || !params.contains("token") || !params.contains("value")) return;
  const auto& value = params["value"];
  if (!value.is_object()) return;
  const auto kind = value.value("kind", json());
  if (kind == "begin") progress_.insert(params["token"].dump());
  if (kind == "end") progress_.erase(params["token"].dump());
}

bool Mirror::registration(std::string_view params_text) {
  const auto params = json::parse(params_text, nullptr, false);
  if (!params.is_object() || !params.contains("registrations")) return true;
  bool news = false;
  for (const auto& entry : params["registrations"]) {
    if (entry.is_object()) news |= registered_.insert(entry.value("id", json()).dump()).second;
  }
  return news;
}

// The protocol spells the member so.
void Mirror::unregistration(std::string_view params_text) {
  const auto params = json::parse(params_text, nullptr, false);
  if (!params.is_object() || !params.contains("unregisterations")) return;
  for (const auto& entry : params["unregisterations"]) {
    if (entry.is_object()) registered_.erase(entry.value("id", json()).dump());
  }
}

std::vector<std::string> Mirror::detach() {
  for (const auto& [id, count] : asked_) stale_[id] += count;
  asked_.clear();
  std::vector<std::string> out;
  for (const auto& token : progress_) {
    out.push_back(
        note("$/progress", {{"token", json::parse(token)}, {"value", {{"kind", "end"}}}}));
  }
  progress_.clear();
  return out;
}

bool Mirror::initializing() const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [&](const Asked& asked) { return asked.id == initialize_id_; });
}

Mirror::Replay Mirror::replay() {
  Replay out;
  if (initialize_.empty()) return out;
  auto pending = std::exchange(pending_, {});
  const auto unanswered = std::find_if(pending.begin(), pending.end(), [&](const Asked& asked) {
    return asked.id == initialize_id_;
  });
  if (unanswered != pending.end()) {
    out.to_daemon.push_back(initialize_);
    pending_.push_back(*unanswered);
    pending.erase(unanswered);
  } else {
    auto message = json::parse(initialize_);
    message["id"] = "ambit-replay";
    out.to_daemon.push_back(text_of(message));
    out.to_daemon.push_back(note("initialized", json::object()));
  }
  if (!configuration_.empty()) out.to_daemon.push_back(configuration_);
  for (const auto& [uri, document] : documents_.all()) {
    out.to_daemon.push_back(note("textDocument/didOpen", {{"textDocument",
                                                           {{"uri", uri},
                                                            {"languageId", document.language},
                                                            {"version", document.version},
                                                            {"text", *document.text}}}}));
  }
  for (auto& [id, body] : pending) {
    const auto head = read_head(body);
    if (head->method == "shutdown") {
      out.to_editor.push_back(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":null})");
    } else if (head->method == "workspace/executeCommand") {
      out.to_editor.push_back(
          R"({"jsonrpc":"2.0","id":)" + id +
          R"(,"error":{"code":-32803,"message":"Ambit's daemon restarted; try again"}})");
    } else {
      out.to_daemon.push_back(body);
      pending_.push_back({std::move(id), std::move(body)});
    }
  }
  return out;
}

std::vector<std::string> Mirror::take_unanswered() {
  std::vector<std::string> out;
  for (auto& asked : std::exchange(pending_, {})) out.push_back(std::move(asked.body));
  return out;
}

}  // namespace ambit::daemon
