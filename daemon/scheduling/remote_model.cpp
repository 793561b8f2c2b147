#include "daemon/scheduling/remote_model.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

#include "daemon/net/local_socket.h"
#include "daemon/paths.h"
#include "daemon/remote_consent.h"
#include "daemon/support/file.h"
#include "inference/remote/openai_backend.h"

namespace ambit::daemon {

namespace {

constexpr std::size_t kMaxKey = 4096;
constexpr std::chrono::seconds kKeyringPatience{20};  // it may ask for a password

// What a header can hold, so that a key cannot smuggle in a header of its own.
Result<std::string> tidy_key(std::string key, const std::string& where) {
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) {
    key.pop_back();
  }
  if (key.empty()) return make_error(Code::kNotFound, "there is no API key in " + where);
  const bool fine = key.size() <= kMaxKey &&
                    std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (!fine) {
    return make_error(Code::kInvalidArgument,
                      where + " holds something else than one line with an API key");
  }
  return key;
}

Result<std::string> key_from_file(std::filesystem::path path) {
  if (path.string().starts_with("~/")) path = home_directory() / path.string().substr(2);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return make_error(Code::kNotFound, "there is no file " + path.string() + " (remote.api_key)");
  }
  if (info.st_uid != ::getuid() || (info.st_mode & 077) != 0) {
    return make_error(
        Code::kPermission,
        path.string() + " holds a key and may be read by others: chmod 600 " + path.string());
  }
  AMBIT_TRY(text, read_file(path, kMaxKey + 2));
  return tidy_key(std::move(text), path.string());
}

Result<std::string> key_from_keyring(const std::string& host) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return make_error(Code::kIo, "no pipe");
  FileDescriptor read_end(ends[0]), write_end(ends[1]);
  std::array<std::string, 6> words{"secret-tool", "lookup", "service", "ambit", "server", host};
  std::array<char*, 7> argv{};
  for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), 1);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, words[0].c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return make_error(Code::kUnavailable,
                      "the keyring needs secret-tool (Debian: libsecret-tools), which is missing");
  }
  write_end.reset();
  std::string key;
  const auto until = std::chrono::steady_clock::now() + kKeyringPatience;
  while (key.size() <= kMaxKey) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    pollfd waiting{read_end.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) {
      ::kill(pid, SIGKILL);
      break;
    }
    std::array<char, 512> piece{};
    const auto n = ::read(read_end.get(), piece.data(), piece.size());
    if (n <= 0) break;
    key.append(piece.data(), static_cast<std::size_t>(n));
  }
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return tidy_key(std::move(key),
                  "the keyring (secret-tool store --label=ambit service ambit "
                  "server " +
                      host + ")");
}

}  // namespace

Result<std::string> read_api_key(const std::string& setting, const std::string& host) {
  if (setting.empty()) return std::string();
  if (setting == "keyring") return key_from_keyring(host);
  if (setting.starts_with("file:")) return key_from_file(setting.substr(5));
  if (setting.starts_with("env:")) {
    const std::string name = setting.substr(4);
    const char* value = std::getenv(name.c_str());
    return tidy_key(value == nullptr ? "" : value, "the environment variable " + name);
  }
  // The setting may be the key itself, so it is not repeated.
  return make_error(Code::kInvalidArgument,
                    "`remote.api_key` names where the key is: file:PATH, env:NAME or keyring");
}

Result<RemoteModel> parse_remote_model(const std::string& words) {
  RemoteModel out;
  const auto at = words.find('@');
  const auto hash = words.find('#', at == std::string::npos ? 0 : at);
  const std::string name = words.substr(0, std::min(at, hash));
  out.profile = inference::remote::find_profile(name);
  if (out.profile == nullptr) {
    return make_error(Code::kInvalidArgument, "there is no kind of server '" + name +
                                                  "' in remote:KIND@URL#MODEL; known: " +
                                                  inference::remote::profile_names());
  }
  std::string url(out.profile->default_url);
  if (at != std::string::npos) {
    url = words.substr(at + 1, hash == std::string::npos ? hash : hash - at - 1);
  }
  if (url.empty()) {
    return make_error(Code::kInvalidArgument,
                      "say where the server is: remote:" + name + "@https://HOST:PORT/v1");
  }
  AMBIT_TRY(parsed, inference::remote::parse_url(url));
  out.url = std::move(parsed);
  if (out.url.path.empty()) out.url.path = "/v1";
  if (hash != std::string::npos) out.model = words.substr(hash + 1);
  return out;
}

Result<std::shared_ptr<inference::Backend>> open_remote_model(
    const RemoteModel& remote, const Config& config,
    std::function<void(const inference::BackendInfo&)> on_change) {
  const std::string server = remote.url.text();
  if (!remote.url.tls && !remote.url.loopback() && !config.flag("remote.allow_plain_http")) {
    return make_error(Code::kPermission,
                      server +
                          " would be reached without encryption; use https, or set "
                          "`remote.allow_plain_http`");
  }
  AMBIT_TRY(key, read_api_key(config.text("remote.api_key"), remote.url.host));
  if (remote.profile->needs_key && key.empty()) {
    return make_error(Code::kPermission, server + " wants a key: set `remote.api_key`");
  }
  if (!key.empty() && !remote.url.tls && !remote.url.loopback()) {
    return make_error(Code::kPermission,
                      "an API key is not sent to " + server + " without encryption; use https");
  }
  inference::remote::RemoteOptions options;
  options.profile = remote.profile;
  options.url = remote.url;
  options.model = remote.model;
  options.api_key = std::move(key);
  options.context = config.integer("remote.context_tokens");
  options.silence_limit = std::chrono::seconds(config.integer("remote.timeout_s"));
  options.on_change = std::move(on_change);
  options.may_send = [server](const std::string& root) { return check_consent(server, root); };
  if (const auto& path = config.text("remote.tokenizer"); !path.empty()) {
    AMBIT_TRY(tokenizer, inference::Tokenizer::load(path));
    options.tokenizer = std::move(tokenizer);
    options.exact_tokenizer = true;
  } else {
    // ambit-nano's vocabulary is smaller than that of any model worth asking, so it counts more
    // tokens than the server will: budgets hold.
    auto nano = inference::Tokenizer::load(bundled_model() / "tokenizer.json");
    options.tokenizer = nano ? *nano : inference::Tokenizer::bytes();
  }
  inference::remote::HttpClient::Options http;
  http.url = remote.url;
  http.ca_file = config.text("remote.ca_file");
  AMBIT_TRY(client, inference::remote::HttpClient::open(std::move(http)));
  return inference::remote::open_remote_backend(std::move(options), std::move(client));
}

}  // namespace ambit::daemon
