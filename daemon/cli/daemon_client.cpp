#include "daemon/cli/daemon_client.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "daemon/paths.h"
#include "daemon/scheduling/model_spec.h"
#include "lsp/framing.h"
#include "lsp/message.h"

namespace ambit::daemon {

Result<std::filesystem::path> daemon_socket(const std::string& model) {
  AMBIT_TRY(config, Config::load());
  return socket_path((model.empty() ? config.text("model") : model) + '\n' +
                     user_config_file().string());
}

Result<FileDescriptor> connect_or_start(const std::string& model) {
  AMBIT_TRY(path, daemon_socket(model));
  if (auto fd = connect_local(path)) return fd;
  // Whoever holds this lock starts the daemon; everybody else waits here and finds it running.
  AMBIT_TRY(lock, lock_file(path.string() + ".start", true));
  if (auto fd = connect_local(path)) return fd;
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return make_error(Code::kIo, "no pipe");
  FileDescriptor read_end(ready[0]), write_end(ready[1]);
  std::vector<std::string> words{executable().string(), "serve", "--ready-fd", "3"};
  if (!model.empty()) words.insert(words.end(), {"--model", model});
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, words[0].c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return make_error(Code::kUnavailable, "the daemon cannot be started");
  write_end.reset();
  // What was spawned forks the daemon and ends at once.
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  // One line: "ready", or what is wrong.
  std::string line;
  char c = 0;
  while (true) {
    pollfd waiting{read_end.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 10000) <= 0) break;
    const auto n = ::read(read_end.get(), &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || c == '\n') break;
    line += c;
  }
  if (line != "ready") {
    return make_error(
        Code::kUnavailable,
        line.empty() ? "the daemon did not start; try `ambit serve --foreground`" : line);
  }
  return connect_local(path);
}

Result<nlohmann::json> ask_daemon(int fd, const std::string& method, const nlohmann::json& params) {
  const auto bytes = lsp::frame(lsp::encode_request(std::int64_t{1}, method, lsp::Json(params)));
  if (!write_all(fd, bytes.data(), bytes.size())) {
    return make_error(Code::kUnavailable, "the daemon is gone");
  }
  lsp::FrameReader reader;
  std::array<char, 65536> buffer;
  while (true) {
    while (auto event = reader.next()) {
      const auto* frame = std::get_if<lsp::Frame>(&*event);
      if (frame == nullptr) return make_error(Code::kCorrupt, "the daemon sent no message");
      auto decoded = lsp::decode_message(frame->body);
      const auto* message = std::get_if<lsp::Message>(&decoded);
      const auto* response = message != nullptr ? std::get_if<lsp::Response>(message) : nullptr;
      if (response == nullptr) continue;
      if (response->error) return make_error(Code::kUnavailable, response->error->message);
      return Result<nlohmann::json>(boost::system::in_place_value, response->result.value());
    }
    const auto n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return make_error(Code::kUnavailable, "the daemon ended before it answered");
    reader.feed({buffer.data(), static_cast<std::size_t>(n)});
  }
}

Result<inference::BackendInfo> model_before_loading(const Config& config) {
  AMBIT_TRY(spec, resolve_model(config.text("model")));
  inference::BackendInfo info;
  if (spec.kind != ModelSpec::Kind::kLocal) {
    info.backend = spec.kind == ModelSpec::Kind::kScripted ? "scripted" : "remote";
    return info;
  }
  namespace fs = std::filesystem;
  info.name = spec.path.filename() == "model" ? "ambit-nano" : spec.path.filename().string();
  std::error_code ec;
  if (fs::is_regular_file(spec.path, ec)) info.weights_bytes = fs::file_size(spec.path, ec);
  for (fs::directory_iterator it(spec.path, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code none;
    if (it->is_regular_file(none)) info.weights_bytes += it->file_size(none);
  }
  return info;
}

}  // namespace ambit::daemon
