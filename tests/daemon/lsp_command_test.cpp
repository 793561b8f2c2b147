// `ambit lsp`, `ambit stop` and `ambit complete` as programs: how they reach a daemon, and what
// they do when there is none. Every test has folders and a scripted model of its own.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/net/local_socket.h"
#include "lsp/framing.h"
#include "tests/support/lsp_client.h"

namespace ambit::testing {
namespace {

namespace fs = std::filesystem;
using daemon::FileDescriptor;
using nlohmann::json;

constexpr const char* kProgram = AMBIT_BINARY_DIR "/ambit";
constexpr const char* kScript =
    R"({"rules": [{"match": "return <｜fim▁hole｜>", "answer": "total;"}]})";

class LspCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    auto pattern = (fs::temp_directory_path() / "ambit-lsp.XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    for (const char* name : {"config/ambit", "cache", "state", "data", "run", "home", "project"}) {
      fs::create_directories(folder_ / name);
    }
    fs::permissions(folder_ / "run", fs::perms::owner_all);
    std::ofstream(folder_ / "script.json") << kScript;
    std::ofstream(folder_ / "project/a.c") << "int f(int total) {\n  return \n}\n";
    configure("model = \"scripted:" + (folder_ / "script.json").string() + "\"\n");
    const std::string root = folder_.string();
    environment_ = {"HOME=" + root + "/home",
                    "XDG_CONFIG_HOME=" + root + "/config",
                    "XDG_CACHE_HOME=" + root + "/cache",
                    "XDG_STATE_HOME=" + root + "/state",
                    "XDG_DATA_HOME=" + root + "/data",
                    "XDG_RUNTIME_DIR=" + root + "/run"};
  }
  void TearDown() override {
    std::string ignored;
    (void)run({"stop"}, ignored);
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  void configure(const std::string& toml) const {
    std::ofstream(folder_ / "config/ambit/config.toml") << toml;
  }
  // Exit code of `ambit WORDS`; what it printed on both streams in `out`.
  int run(const std::vector<std::string>& words, std::string& out) const {
    std::string command = "env -u AMBIT_MODEL";
    for (const auto& entry : environment_) command += " '" + entry + "'";
    command += std::string(" '") + kProgram + "'";
    for (const auto& word : words) command += " '" + word + "'";
    std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return -1;
    char buffer[4096];
    while (const auto n = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
    const int status = ::pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  [[nodiscard]] std::unique_ptr<LspClient> editor(std::vector<std::string> words = {}) const {
    std::vector<std::string> command{kProgram, "lsp"};
    command.insert(command.end(), words.begin(), words.end());
    return std::make_unique<LspClient>(command, environment_, nullptr);
  }
  [[nodiscard]] std::string root_uri() const { return "file://" + (folder_ / "project").string(); }
  [[nodiscard]] bool daemon_listens() const {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "run", error)) {
      if (entry.is_socket()) return true;
    }
    return false;
  }

  fs::path folder_;
  std::vector<std::string> environment_;
};

// Not there, or a zombie that whoever is process 1 here has not collected.
bool ended(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string id, name, state;
  return !(stat >> id >> name >> state) || state == "Z" || state == "X";
}

TEST_F(LspCommand, StaysInactiveWithOneMessageWhenNoDaemonCanStart) {
  configure("model = \n");
  const auto client = editor();
  EXPECT_TRUE(client->start(root_uri()).contains("result"));
  const auto why = client->notification("window/showMessage")["params"]["message"];
  EXPECT_NE(why.get<std::string>().find("config.toml"), std::string::npos) << why;
  const auto reply = client->call("textDocument/inlineCompletion",
                                  LspClient::inline_params(root_uri() + "/a.c", 1, 9));
  EXPECT_TRUE(reply["result"].is_null());
  EXPECT_TRUE(client->call("shutdown", nullptr).contains("result"));
  client->notify("exit", nullptr);
  EXPECT_EQ(client->wait_exit(), 0);
}

TEST_F(LspCommand, StopReturnsWhenTheDaemonAndItsEngineHaveEnded) {
  const auto client = editor();
  client->start(root_uri());
  client->open(root_uri() + "/a.c", "int f(int total) {\n  return \n}\n");
  (void)client->call("textDocument/inlineCompletion",
                     LspClient::inline_params(root_uri() + "/a.c", 1, 9));
  const auto status =
      client->call("workspace/executeCommand", {{"command", "ambit.status"}})["result"];
  const int pid = status.value("pid", -1), engine = status["engine"].value("pid", -1);
  ASSERT_GT(pid, 0);
  ASSERT_GT(engine, 0);
  std::string out;
  EXPECT_EQ(run({"stop", "--drain"}, out), 0) << out;
  EXPECT_TRUE(ended(pid));
  EXPECT_TRUE(ended(engine));
  EXPECT_FALSE(daemon_listens()) << "and the editor does not start it again by itself";
  // The next thing that the editor asks for does.
  const auto reply = client->call("textDocument/inlineCompletion",
                                  LspClient::inline_params(root_uri() + "/a.c", 1, 9));
  EXPECT_EQ(reply["result"]["items"][0]["insertText"], "  return total;");
  EXPECT_NE(client->call("workspace/executeCommand", {{"command", "ambit.status"}})["result"].value(
                "pid", pid),
            pid);
}

TEST_F(LspCommand, RemoteOffSharesNothing) {
  const auto client = editor({"--remote=off"});
  client->start(root_uri());
  client->open(root_uri() + "/a.c", "int f(int total) {\n  return \n}\n");
  const auto reply = client->call("textDocument/inlineCompletion",
                                  LspClient::inline_params(root_uri() + "/a.c", 1, 9));
  EXPECT_EQ(reply["result"]["items"][0]["insertText"], "  return total;");
  EXPECT_FALSE(daemon_listens());
  client->close_input();
  EXPECT_TRUE(client->wait_exit().has_value());
}

TEST_F(LspCommand, RemotePathConnectsAndNeverStartsOne) {
  const auto nobody = editor({"--remote", (folder_ / "run/none").string()});
  nobody->start(root_uri());
  EXPECT_NE(nobody->notification("window/showMessage")["params"]["message"].get<std::string>().find(
                "no daemon answers"),
            std::string::npos);
  EXPECT_FALSE(daemon_listens());
}

TEST_F(LspCommand, CompletesWithoutADaemon) {
  std::string out;
  const auto where = (folder_ / "project/a.c").string() + ":2:10";
  EXPECT_EQ(run({"complete", where, "--no-daemon"}, out), 0) << out;
  EXPECT_EQ(out, "total;\n");
  EXPECT_FALSE(daemon_listens());
}

TEST_F(LspCommand, SaysWhatToDoWithoutAModel) {
  configure("model = \"/nowhere/at/all\"\n");
  const auto where = (folder_ / "project/a.c").string() + ":2:10";
  for (const char* how : {"--json", "--no-daemon"}) {
    std::string out;
    EXPECT_EQ(run({"complete", where, how}, out), 3) << out;
    EXPECT_NE(out.find("there is no model at /nowhere/at/all; set `model`"), std::string::npos);
  }
  const auto client = editor();
  client->start(root_uri());
  client->open(root_uri() + "/a.c", "int f(int total) {\n  return \n}\n");
  const auto params = LspClient::inline_params(root_uri() + "/a.c", 1, 9);
  EXPECT_FALSE(client->call("textDocument/inlineCompletion", params).contains("error"));
  EXPECT_NE(client->notification("window/showMessage")["params"]["message"].get<std::string>().find(
                "/nowhere/at/all"),
            std::string::npos);
}

// Accepts one connection, initializes over it and ends the conversation. False when any step fails.
bool serves_over(const FileDescriptor& listener) {
  const FileDescriptor stream(::accept(listener.get(), nullptr, nullptr));
  const auto send = [&](const json& message) {
    const auto bytes = lsp::frame(message.dump());
    return daemon::write_all(stream.get(), bytes.data(), bytes.size());
  };
  if (!send({{"jsonrpc", "2.0"},
             {"id", 1},
             {"method", "initialize"},
             {"params", {{"processId", ::getpid()}, {"capabilities", json::object()}}}})) {
    return false;
  }
  lsp::FrameReader reader;
  std::array<char, 4096> buffer;
  while (true) {
    while (auto event = reader.next()) {
      const auto message = json::parse(std::get<lsp::Frame>(*event).body);
      if (message.value("id", 0) == 1) return message.contains("result");
    }
    const auto n = ::read(stream.get(), buffer.data(), buffer.size());
    if (n <= 0) return false;
    reader.feed({buffer.data(), static_cast<std::size_t>(n)});
  }
}

TEST_F(LspCommand, SpeaksOverASocketOfTheEditor) {
  const FileDescriptor local(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  const auto file = (folder_ / "editor").string();
  file.copy(path.sun_path, sizeof path.sun_path - 1);
  ASSERT_EQ(::bind(local.get(), reinterpret_cast<sockaddr*>(&path), sizeof path), 0);
  ASSERT_EQ(::listen(local.get(), 1), 0);
  const auto by_pipe = editor({"--pipe=" + file});
  EXPECT_TRUE(serves_over(local));
  EXPECT_EQ(by_pipe->wait_exit(), 1) << "the end of the stream ends it";

  const FileDescriptor tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(tcp.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(tcp.get(), 1), 0);
  ASSERT_EQ(::getsockname(tcp.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto by_port = editor({"--socket", std::to_string(ntohs(address.sin_port))});
  EXPECT_TRUE(serves_over(tcp));
  EXPECT_EQ(by_port->wait_exit(), 1);
}

}  // namespace
}  // namespace ambit::testing
