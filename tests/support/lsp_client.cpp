#include "tests/support/lsp_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ambit::testing {

using Clock = std::chrono::steady_clock;
using json = nlohmann::json;

namespace {

int milliseconds_until(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

}  // namespace

namespace {

json editor_capabilities() {
  return {{"textDocument", {{"inlineCompletion", json::object()}}},
          {"workspace", {{"configuration", true}, {"workspaceFolders", true}}},
          {"general", {{"positionEncodings", {"utf-16"}}}}};
}

}  // namespace

LspClient::LspClient(int socket, const MetaModel* model)
    : capabilities(editor_capabilities()), model_(model), in_(socket), out_(socket), socket_(true) {
  ::signal(SIGPIPE, SIG_IGN);
}

LspClient::LspClient(std::vector<std::string> command, std::vector<std::string> environment,
                     const MetaModel* model)
    : capabilities(editor_capabilities()), model_(model) {
  ::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> to{}, from{};
  if (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0) return;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  // Entries that come first win.
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const auto name = text.substr(0, text.find('=') + 1);
    bool replaced = false;
    for (const auto& ours : environment) replaced |= ours.starts_with(name);
    if (!replaced) environment.push_back(text);
  }
  std::vector<char*> argv, envp;
  for (auto& word : command) argv.push_back(word.data());
  for (auto& entry : environment) envp.push_back(entry.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  if (::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data()) != 0) pid_ = -1;
  posix_spawn_file_actions_destroy(&actions);
  ::close(to[0]);
  ::close(from[1]);
  in_ = to[1];
  out_ = from[0];
}

LspClient::~LspClient() {
  close_input();
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) ::close(out_);
}

void LspClient::check(Sender sender, const json& message, const std::string& method) {
  if (model_ == nullptr) return;
  if (auto violation = model_->check(sender, message, method)) {
    violations_.push_back((sender == Sender::kServer ? "server: " : "client: ") + *violation +
                          " in " + message.dump().substr(0, 300));
  }
}

void LspClient::send_raw(const std::string& bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto n = ::write(in_, bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
}

void LspClient::send(const json& message) {
  send_raw(lsp::frame(message.dump()));
}

int LspClient::request(const std::string& method, const json& params) {
  json message = {{"jsonrpc", "2.0"}, {"id", next_id_}, {"method", method}};
  if (!params.is_null()) message["params"] = params;
  check(Sender::kClient, message);
  return request_unchecked(method, params);
}

int LspClient::request_unchecked(const std::string& method, const json& params) {
  json message = {{"jsonrpc", "2.0"}, {"id", next_id_}, {"method", method}};
  if (!params.is_null()) message["params"] = params;
  methods_[std::to_string(next_id_)] = method;
  send(message);
  return next_id_++;
}

void LspClient::notify(const std::string& method, const json& params) {
  json message = {{"jsonrpc", "2.0"}, {"method", method}};
  if (!params.is_null()) message["params"] = params;
  check(Sender::kClient, message);
  send(message);
}

void LspClient::close_input() {
  if (in_ >= 0 && socket_) ::shutdown(in_, SHUT_WR);
  if (in_ >= 0 && !socket_) ::close(in_);
  in_ = -1;
}

bool LspClient::read_some(Clock::time_point deadline) {
  pollfd wait{out_, POLLIN, 0};
  const int ready = ::poll(&wait, 1, milliseconds_until(deadline));
  if (ready < 0 && errno == EINTR) return true;
  if (ready <= 0) return false;
  std::array<char, 65536> buffer;
  const auto n = ::read(out_, buffer.data(), buffer.size());
  if (n <= 0) return false;
  reader_.feed({buffer.data(), static_cast<std::size_t>(n)});
  while (auto event = reader_.next()) {
    if (const auto* frame = std::get_if<lsp::Frame>(&*event)) {
      take(frame->body);
    } else {
      violations_.push_back("server: " + std::get<Error>(*event).message);
    }
  }
  return true;
}

void LspClient::take(const std::string& body) {
  const json message = json::parse(body, nullptr, false);
  if (!message.is_object()) {
    violations_.push_back("server: not an object: " + body.substr(0, 300));
    return;
  }
  if (!message.contains("method")) {
    const auto id = message.contains("id") ? message["id"].dump() : "missing";
    const auto method = methods_.find(id);
    check(Sender::kServer, message, method == methods_.end() ? "" : method->second);
    ++reply_counts_[id];
    replies_[id] = message;
    return;
  }
  check(Sender::kServer, message);
  if (!message.contains("id")) {
    notifications_.push_back(message);
    return;
  }
  requests_.push_back(message);
  if (on_request) {
    const json members = on_request(message);
    if (members.is_null()) return;
    if (members != "default") return respond(message, members);
  }
  json result = nullptr;
  if (message["method"] == "workspace/configuration") {
    result = json::array();
    for (std::size_t i = 0; i < message["params"]["items"].size(); ++i) result.push_back(settings);
  }
  respond(message, {{"result", result}});
}

void LspClient::respond(const json& request, const json& members) {
  json reply = {{"jsonrpc", "2.0"}, {"id", request["id"]}};
  reply.update(members);
  check(Sender::kClient, reply, request["method"]);
  send(reply);
}

LspClient::json LspClient::server_request(const std::string& method) {
  const auto deadline = Clock::now() + kDeadline;
  while (true) {
    for (auto it = requests_.begin(); it != requests_.end(); ++it) {
      if ((*it)["method"] != method) continue;
      json found = *it;
      requests_.erase(it);
      return found;
    }
    if (!read_some(deadline)) return nullptr;
  }
}

int LspClient::unread(const std::string& method) const {
  int n = 0;
  for (const auto& message : notifications_) n += message["method"] == method ? 1 : 0;
  for (const auto& message : requests_) n += message["method"] == method ? 1 : 0;
  return n;
}

LspClient::json LspClient::reply(const json& id) {
  const auto key = id.dump();
  const auto deadline = Clock::now() + kDeadline;
  while (!replies_.contains(key)) {
    if (!read_some(deadline)) return nullptr;
  }
  auto found = replies_.extract(key);
  return found.mapped();
}

LspClient::json LspClient::notification(const std::string& method) {
  const auto deadline = Clock::now() + kDeadline;
  while (true) {
    for (auto it = notifications_.begin(); it != notifications_.end(); ++it) {
      if ((*it)["method"] != method) continue;
      json found = *it;
      notifications_.erase(it);
      return found;
    }
    if (!read_some(deadline)) return nullptr;
  }
}

int LspClient::replies_to(const json& id) const {
  const auto found = reply_counts_.find(id.dump());
  return found == reply_counts_.end() ? 0 : found->second;
}

std::optional<int> LspClient::wait_exit() {
  const auto deadline = Clock::now() + kDeadline;
  while (read_some(deadline)) {
  }
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  pollfd wait{fd, POLLIN, 0};
  const int ready = ::poll(&wait, 1, milliseconds_until(deadline));
  ::close(fd);
  if (ready <= 0) return std::nullopt;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

LspClient::json LspClient::start(const std::string& root_uri) {
  json params = {{"processId", static_cast<int>(::getpid())},
                 {"rootUri", root_uri.empty() ? json() : json(root_uri)},
                 {"capabilities", capabilities}};
  if (!client_info.is_null()) params["clientInfo"] = client_info;
  const auto result = call("initialize", params);
  notify("initialized", json::object());
  return result;
}

void LspClient::open(const std::string& uri, const std::string& text) {
  notify("textDocument/didOpen",
         {{"textDocument", {{"uri", uri}, {"languageId", "cpp"}, {"version", 1}, {"text", text}}}});
}

void LspClient::change(const std::string& uri, int version, const std::string& text) {
  notify("textDocument/didChange", {{"textDocument", {{"uri", uri}, {"version", version}}},
                                    {"contentChanges", {{{"text", text}}}}});
}

LspClient::json LspClient::inline_params(const std::string& uri, int line, int character,
                                         int trigger) {
  return {{"textDocument", {{"uri", uri}}},
          {"position", {{"line", line}, {"character", character}}},
          {"context", {{"triggerKind", trigger}}}};
}

}  // namespace ambit::testing
