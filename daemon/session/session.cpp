#include "daemon/session/session.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/handlers/table.h"
#include "daemon/server.h"
#include "daemon/support/trace.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;

Session::Session(Server& s, std::uint64_t session_id)
    : server(s), id(session_id), strand(s.runtime()) {}

Session::~Session() = default;

void Session::start(FileDescriptor fd, std::function<void(std::uint64_t)> on_end) {
  on_end_ = std::move(on_end);
  Connection::Events events;
  events.on_frame = [self = shared_from_this()](lsp::FrameEvent event) {
    self->on_frame(std::move(event));
  };
  events.on_closed = [self = shared_from_this()] {
    for (auto& [request, stop] : self->running_) stop.request_stop();
    for (auto& [uri, state] : self->states) state.stop.request_stop();
    self->states.clear();
    self->workspaces_.clear();
    if (auto on_end_now = std::exchange(self->on_end_, {})) on_end_now(self->id);
  };
  // Assigned on the strand, where every use of it is.
  strand.post([self = shared_from_this(), events = std::move(events),
               shared = std::make_shared<FileDescriptor>(std::move(fd))] {
    self->connection_ =
        Connection::start(self->server.runtime(), self->strand, std::move(*shared), events);
  });
}

void Session::end() {
  strand.post([self = shared_from_this()] {
    if (self->connection_) self->connection_->close();
  });
}

void Session::post(std::function<void(Session&)> job) {
  strand.post([weak = weak_from_this(), job = std::move(job)] {
    if (const auto self = weak.lock()) job(*self);
  });
}

void Session::show_message(int type, const std::string& text) {
  post([type, text](Session& s) {
    if (s.initialized) s.notify("window/showMessage", {{"type", type}, {"message", text}});
  });
}

std::string Session::client_name() const {
  std::lock_guard lock(name_mutex_);
  return client.name;
}

void Session::reply(const lsp::RequestId& request, const json& result) {
  end_request(request);
  if (connection_) connection_->send(lsp::encode_result(request, lsp::Json(result)));
}

void Session::fail(const lsp::RequestId& request, lsp::ErrorCode code, const std::string& message) {
  end_request(request);
  if (connection_) connection_->send(lsp::encode_error(request, {code, message, {}}));
}

void Session::notify(const std::string& method, const json& params) {
  if (connection_) connection_->send(lsp::encode_notification(method, lsp::Json(params)));
}

void Session::ask(const std::string& method, const json& params,
                  std::function<void(const json&)> then) {
  if (!connection_) return;
  const std::int64_t number = next_ask_++;
  asked_.emplace(number, std::move(then));
  connection_->send(lsp::encode_request(number, method, lsp::Json(params)));
}

std::stop_source Session::begin_request(const lsp::RequestId& request) {
  return running_.insert_or_assign(request, std::stop_source()).first->second;
}

void Session::end_request(const lsp::RequestId& request) {
  running_.erase(request);
}

void Session::on_frame(lsp::FrameEvent event) {
  if (const auto* error = std::get_if<Error>(&event)) {
    const auto code = error->code == Code::kResourceExhausted ? lsp::ErrorCode::kInvalidRequest
                                                              : lsp::ErrorCode::kParseError;
    if (connection_) connection_->send(lsp::encode_error(std::nullopt, {code, error->message, {}}));
    return;
  }
  auto decoded = lsp::decode_message(std::get<lsp::Frame>(event).body);
  if (const auto* bad = std::get_if<lsp::MalformedMessage>(&decoded)) {
    if (bad->is_response) {
      log(LogLevel::kWarning, "session", "a reply that cannot be read: " + bad->error.message);
    } else if (connection_) {
      connection_->send(lsp::encode_error(bad->id, bad->error));
    }
    return;
  }
  dispatch(std::get<lsp::Message>(std::move(decoded)));
}

void Session::dispatch(lsp::Message message) {
  if (const auto* response = std::get_if<lsp::Response>(&message)) {
    const auto* number = response->id ? std::get_if<std::int64_t>(&*response->id) : nullptr;
    const auto found = number != nullptr ? asked_.find(*number) : asked_.end();
    if (found == asked_.end()) return;
    auto then = std::move(found->second);
    asked_.erase(found);
    if (then) then(response->error ? json() : response->result.value());
    return;
  }
  if (const auto* note = std::get_if<lsp::Notification>(&message)) {
    if (note->method == "$/cancelRequest") {
      const auto& params = note->params.value();
      if (!params.is_object() || !params.contains("id")) return;
      const auto& wanted = params["id"];
      lsp::RequestId request;
      if (wanted.is_number_integer()) {
        request = wanted.get<std::int64_t>();
      } else if (wanted.is_string()) {
        request = wanted.get<std::string>();
      } else {
        return;
      }
      if (const auto found = running_.find(request); found != running_.end()) {
        found->second.request_stop();
      }
      return;
    }
    const auto* handler = find_notification(note->method);
    if (handler == nullptr || (!initialized && note->method != "exit")) return;
    try {
      handler->handle(*this, note->params.value());
    } catch (const json::exception& error) {
      log(LogLevel::kWarning, "session", note->method + ": " + error.what());
    }
    return;
  }
  const auto& request = std::get<lsp::Request>(message);
  if (shut_down) {
    return fail(request.id, lsp::ErrorCode::kInvalidRequest, "the session is shut down");
  }
  if (!initialized && request.method != "initialize" && !request.method.starts_with("ambit/")) {
    return fail(request.id, lsp::ErrorCode::kServerNotInitialized, "send initialize first");
  }
  if (initialized && request.method == "initialize") {
    return fail(request.id, lsp::ErrorCode::kInvalidRequest, "initialize was sent already");
  }
  const auto* handler = find_request(request.method);
  if (handler == nullptr) {
    return fail(request.id, lsp::ErrorCode::kMethodNotFound,
                "there is no method " + request.method);
  }
  try {
    handler->handle(*this, request.id, request.params.value());
  } catch (const json::exception&) {
    fail(request.id, lsp::ErrorCode::kInvalidParams,
         request.method + ": a parameter is missing or has the wrong type");
  }
}

std::shared_ptr<Workspace> Session::workspace_of(const std::string& path) {
  if (path.empty()) return nullptr;
  const auto root = repository_root(path).string();
  if (const auto found = workspaces_.find(root); found != workspaces_.end()) return found->second;
  // A file outside every folder of the window and outside any repository stays alone.
  std::error_code error;
  const bool repository = std::filesystem::exists(std::filesystem::path(root) / ".git", error);
  const bool inside = std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
    return path == folder || path.starts_with(folder + "/");
  });
  if (!repository && !inside) return nullptr;
  auto workspace = server.workspaces().get(repository ? root : path);
  if (workspace) workspaces_.emplace(root, workspace);
  return workspace;
}

Config Session::config_for(const std::shared_ptr<Workspace>& workspace) {
  std::vector<std::string> notes;
  return (workspace ? workspace->config() : server.config()).with_editor(editor_settings, notes);
}

std::shared_ptr<AssistContext> Session::assist_context(const std::string& path,
                                                       std::stop_token stop) {
  auto context = std::make_shared<AssistContext>();
  const auto workspace = workspace_of(path);
  context->config = config_for(workspace);
  context->scheduler = server.scheduler();
  context->tokens = server.tokens();
  context->owner = "session " + std::to_string(id);
  context->stop = std::move(stop);
  if (!workspace) return context;
  context->root = workspace->root();
  context->repository = workspace->name();
  context->packer = workspace->packer();
  indexer::Buffers buffers;
  std::vector<std::pair<std::uint64_t, std::string>> recent;
  for (const auto& [uri, document] : documents.all()) {
    const auto file = lsp::path_from_uri(uri);
    if (!file) continue;
    const auto relative = std::filesystem::path(*file).lexically_relative(context->root).string();
    if (relative.empty() || relative.starts_with("..")) continue;
    buffers.emplace(relative, document.text);
    recent.emplace_back(document.opened, relative);
  }
  std::sort(recent.rbegin(), recent.rend());
  for (auto& [when, relative] : recent) context->open_files.push_back(std::move(relative));
  context->snapshot = workspace->snapshot()->with_buffers(buffers);
  return context;
}

}  // namespace ambit::daemon
