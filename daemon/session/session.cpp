#include "daemon/session/session.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "daemon/assists/completion/warm_prefix.h"
#include "daemon/handlers/table.h"
#include "daemon/server.h"
#include "daemon/session/progress.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;

Session::Session(Server& s, std::uint64_t session_id)
    : server(s),
      id(session_id),
      strand(s.runtime()),
      diagnostics(
          {[this](const std::string& method, const json& params) { notify(method, params); },
           [this] {
             if (client.diagnostic_refresh) ask("workspace/diagnostic/refresh", nullptr);
           },
           [this](const lsp::RequestId& request, const json& result) { reply(request, result); }},
          std::random_device()()),
      calls_(strand) {}

Session::~Session() = default;

void Session::start(FileDescriptor fd, std::function<void(const Session&)> on_end) {
  on_end_ = std::move(on_end);
  Connection::Events events;
  events.on_frame = [self = shared_from_this()](lsp::FrameEvent event) {
    self->on_frame(std::move(event));
  };
  events.on_closed = [self = shared_from_this()] { self->finish(); };
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
    self->finish();
  });
}

// Once, whether the client left or we end it.
void Session::finish() {
  auto on_end_now = std::exchange(on_end_, {});
  if (!on_end_now) return;
  connection_.reset();
  stop_all();
  calls_.end_all();
  running_.clear();
  states.clear();
  tokens_.clear();
  indexing.clear();
  workspaces_.clear();
  on_end_now(*this);
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

ClientInfo Session::client_info() const {
  std::lock_guard lock(client_mutex_);
  return shared_client_;
}

void Session::set_client(ClientInfo info) {
  client = info;
  diagnostics.set_client(client);
  std::lock_guard lock(client_mutex_);
  shared_client_ = std::move(info);
}

void Session::stop_all() {
  for (auto& [request, running] : running_) running.stop.request_stop();
  for (auto& [uri, state] : states) state.stop.request_stop();
  for (auto& [token, stop] : tokens_) stop.request_stop();
  saved_review.request_stop();
}

void Session::log_message(LogLevel level, const std::string& line) {
  post([type = static_cast<int>(level) + 1, line](Session& s) {
    if (s.initialized) s.notify("window/logMessage", {{"type", type}, {"message", line}});
  });
}

void Session::trace_note(const std::string& message) {
  if (trace == Trace::kVerbose) notify("$/logTrace", {{"message", message}});
}

void Session::trace_reply(const lsp::RequestId& request, const std::string& how) {
  const auto found = traced_.extract(request);
  if (found.empty() || trace == Trace::kOff) return;
  const auto spent = std::chrono::steady_clock::now() - found.mapped().start;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(spent).count();
  notify("$/logTrace", {{"message", found.mapped().method + " (" + lsp::to_string(request) + ") " +
                                        how + " after " + std::to_string(ms) + " ms"}});
}

void Session::reply(const lsp::RequestId& request, const json& result) {
  running_.erase(request);
  trace_reply(request, "answered");
  if (connection_) connection_->send(lsp::encode_result(request, lsp::Json(result)));
}

void Session::fail(const lsp::RequestId& request, lsp::ErrorCode code, const std::string& message) {
  running_.erase(request);
  trace_reply(request,
              "failed with " + std::to_string(static_cast<int>(code)) + " (" + message + ")");
  if (connection_) connection_->send(lsp::encode_error(request, {code, message, {}}));
}

void Session::notify(const std::string& method, const json& params) {
  if (connection_) connection_->send(lsp::encode_notification(method, lsp::Json(params)));
}

void Session::ask(const std::string& method, const json& params, OnAnswer then,
                  std::chrono::milliseconds limit) {
  auto job = [method, params, then = std::move(then), limit](Session& s) {
    if (!s.connection_) {
      if (then) then(make_error(Code::kCancelled, "the editor is gone"));
      return;
    }
    const auto number = s.calls_.add(limit, then);
    if (number) {
      s.connection_->send(lsp::encode_request(*number, method, lsp::Json(params)));
    }
  };
  if (strand.running_here()) return job(*this);
  post(std::move(job));
}

Answer Session::ask_and_wait(const std::string& method, const json& params,
                             std::chrono::milliseconds limit, std::stop_token stop) {
  struct Wait {
    std::promise<Answer> promise;
    std::int64_t number = 0;  // strand
  };
  auto wait = std::make_shared<Wait>();
  auto future = wait->promise.get_future();
  post([wait, method, params, limit](Session& s) {
    const auto settled = [wait](Answer answer) { wait->promise.set_value(std::move(answer)); };
    if (!s.connection_) return settled(make_error(Code::kCancelled, "the editor is gone"));
    const auto number = s.calls_.add(limit, settled);
    if (!number) return;
    wait->number = *number;
    s.connection_->send(lsp::encode_request(*number, method, lsp::Json(params)));
  });
  // Posted behind the call above, so its number is known when this runs.
  std::stop_callback cancel(stop, [this, weak = std::weak_ptr(wait)] {
    post([weak](Session& s) {
      const auto asked = weak.lock();
      if (!asked || !s.calls_.settle(asked->number, make_error(Code::kCancelled, "cancelled"))) {
        return;
      }
      s.notify("$/cancelRequest", {{"id", asked->number}});
    });
  });
  wait.reset();
  try {
    return future.get();
  } catch (const std::future_error&) {
    return make_error(Code::kCancelled, "the editor is gone");
  }
}

void Session::set_diagnostics(std::string uri, std::string source,
                              std::optional<std::int64_t> version, json items) {
  post([uri = std::move(uri), source = std::move(source), version,
        items = std::move(items)](Session& s) { s.diagnostics.set(uri, source, version, items); });
}

void Session::clear_diagnostics(std::string source) {
  post([source = std::move(source)](Session& s) { s.diagnostics.clear(source); });
}

std::stop_source Session::begin_request(const lsp::RequestId& request,
                                        std::function<void(Session&)> on_cancel) {
  auto& running = running_[request];
  running = {std::stop_source(), std::move(on_cancel)};
  return running.stop;
}

void Session::watch_token(const json& token, std::stop_source stop) {
  tokens_.insert_or_assign(token.dump(), std::move(stop));
}

void Session::forget_token(const json& token) {
  tokens_.erase(token.dump());
}

void Session::cancel_token(const json& token) {
  if (const auto found = tokens_.find(token.dump()); found != tokens_.end()) {
    auto stop = found->second;
    stop.request_stop();
  }
}

std::string Session::new_token() {
  return "ambit-" + std::to_string(id) + "-" + std::to_string(next_token_++);
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
    if (number != nullptr) calls_.settle(*number, answer_of(*response));
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
        auto running = found->second;  // on_cancel may end the request
        running.stop.request_stop();
        if (running.on_cancel) running.on_cancel(*this);
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
  // Ids are for one request at a time: a second one would take the first one's cancel and reply.
  if (running_.contains(request.id)) {
    if (connection_) {
      connection_->send(lsp::encode_error(
          request.id, lsp::ResponseError{
                          lsp::ErrorCode::kInvalidRequest,
                          "the id " + lsp::to_string(request.id) + " belongs to a running request",
                          {}}));
    }
    return;
  }
  if (trace != Trace::kOff)
    traced_[request.id] = {request.method, std::chrono::steady_clock::now()};
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

void Session::drop_unused_workspaces() {
  auto before = std::exchange(workspaces_, {});
  for (const auto& folder : folders) (void)workspace_of(folder);
  for (const auto& [uri, document] : documents.all()) {
    if (const auto path = lsp::path_from_uri(uri)) (void)workspace_of(*path);
  }
  std::erase_if(indexing, [&](const auto& bar) { return !workspaces_.contains(bar.first); });
  // The last owner waits for the indexing thread, so not here.
  server.runtime().work([before = std::move(before)] {});
}

Config Session::config_for(const std::shared_ptr<Workspace>& workspace) const {
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
  const auto memory = workspace->memory();
  context->memory = memory->view();
  context->memory_building = memory->building();
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
  context->saved = workspace->snapshot();
  context->snapshot = context->saved->with_typing(buffers);
  settle(context->snapshot);
  context->warm = server.warm_prefix(workspace, context->config, context->open_files);
  return context;
}

void Session::settle(const std::shared_ptr<const indexer::Snapshot>& snapshot) {
  constexpr std::chrono::milliseconds kPause{100};
  if (snapshot->unsettled().empty()) return;
  if (!settling_) settling_ = std::make_unique<Timer>(strand);
  settling_->start(kPause, [&runtime = server.runtime(), snapshot] {
    runtime.work([snapshot] { (void)snapshot->settled(); });
  });
}

void Session::read_ahead(const std::string& uri) {
  const auto path = lsp::path_from_uri(uri);
  // The model may settle long after the file was closed: its workspace must not come back then.
  if (!path || documents.find(uri) == nullptr) return;
  const auto workspace = workspace_of(*path);
  if (!workspace) return;
  const auto relative = std::filesystem::path(*path).lexically_relative(workspace->root()).string();
  const auto warm = server.warm_prefix(workspace, config_for(workspace), {relative});
  if (!warm || warm->status().budget <= 0 ||
      !shown_reading_.insert(workspace->root().string()).second) {
    return;
  }
  auto progress =
      std::make_shared<Progress>(weak_from_this(), nullptr, std::stop_source(std::nostopstate));
  warm->watch([progress, name = workspace->name(),
               began = false](const WarmPrefix::Status& now) mutable {
    if (now.state == WarmPrefix::State::kReading) {
      if (!std::exchange(began, true)) progress->begin("Ambit reads " + name, 0);
      progress->report(static_cast<int>(100 * now.done / std::max<std::int64_t>(now.tokens, 1)));
      return true;
    }
    if (now.state == WarmPrefix::State::kWaiting) return true;
    if (began) progress->end();
    return false;
  });
}

}  // namespace ambit::daemon
