#include "tests/inference/remote/llama_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stop_token>
#include <thread>
#include <vector>

#include "inference/remote/http.h"
#include "tests/inference/remote/tiny_gguf.h"

namespace ambit::testing {

namespace {

namespace fs = std::filesystem;

// tests/inference/remote/install.sh puts it there.
fs::path prefix() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return fs::path(cache) / "ambit-tests/llama/files";
  }
  const char* home = std::getenv("HOME");
  return fs::path(home == nullptr ? "" : home) / ".cache/ambit-tests/llama/files";
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  socklen_t length = sizeof address;
  (void)::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

std::string LlamaServer::missing() {
  if (fs::exists(prefix() / "usr/bin/llama-server")) return "";
  return "llama.cpp's server is not installed: bash tests/inference/remote/install.sh";
}

LlamaServer::LlamaServer(const std::string& fill, const std::string& loop) : port_(free_port()) {
  std::string pattern = (fs::temp_directory_path() / "ambit-llama-XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
  write_tiny_gguf(folder_ / "tiny.gguf", fill, loop);
  std::vector<std::string> words = {(prefix() / "usr/bin/llama-server").string(),
                                    "-m",
                                    (folder_ / "tiny.gguf").string(),
                                    "--host",
                                    "127.0.0.1",
                                    "--port",
                                    std::to_string(port_),
                                    "-c",
                                    "32768",
                                    "-t",
                                    "1",
                                    "-np",
                                    "1",
                                    "--no-webui",
                                    "--offline"};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  fs::path backend;
  for (const auto& entry : fs::recursive_directory_iterator(prefix() / "usr/lib")) {
    if (entry.path().filename() == "libggml-cpu-x64.so") backend = entry.path();
  }
  // The package looks for its arithmetic in a folder of the system; this names the file itself.
  std::string variable = "GGML_BACKEND_PATH=" + backend.string();
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  environment.push_back(variable.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string log = (folder_ / "log").string();
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  (void)::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
}

LlamaServer::~LlamaServer() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

bool LlamaServer::ready() {
  inference::remote::HttpClient::Options options;
  options.url = *inference::remote::parse_url(url());
  auto client = inference::remote::HttpClient::open(options);
  inference::remote::HttpRequest request;
  request.target = "/health";
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < until) {
    int status = 0;
    inference::remote::HttpEvents events;
    events.on_head = [&](const inference::remote::HttpHead& head) { status = head.status; };
    (void)(*client)->perform(request, {}, events, {});
    if (status == 200) return true;
    if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      return false;
    }
    // A foreign program that says nothing when it is ready can only be asked again.
    std::this_thread::yield();
    ::usleep(20000);
  }
  return false;
}

}  // namespace ambit::testing
