// The life of the daemon and its engine, with real processes: who starts them, what their death
// costs, and that nothing stays behind.
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using json = nlohmann::json;

constexpr const char* kInline = "textDocument/inlineCompletion";

// Waits for the end of a process that may be anybody's child. In steps: a machine that stands still
// for a while costs one of them.
bool ends(int pid, std::chrono::milliseconds within) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return true;
  pollfd wait{fd, POLLIN, 0};
  int ready = 0;
  for (int step = 0; step < 50 && ready == 0; ++step) {
    ready = ::poll(&wait, 1, static_cast<int>(within.count() / 50));
  }
  ::close(fd);
  return ready > 0;
}

json status(LspClient& client) {
  return client.call("workspace/executeCommand", {{"command", "ambit.status"}})["result"];
}

TEST_F(Protocol, TwoEditorsThatStartAtOnceShareOneDaemon) {
  for (int round = 0; round < 6; ++round) {
    auto& one = editor();
    auto& two = editor();
    const json params = {
        {"processId", nullptr}, {"rootUri", nullptr}, {"capabilities", json::object()}};
    const int first = one.request("initialize", params), second = two.request("initialize", params);
    EXPECT_TRUE(two.reply(second).contains("result"));
    EXPECT_TRUE(one.reply(first).contains("result"));
    EXPECT_GT(pid_of_daemon(one), 0);
    EXPECT_EQ(pid_of_daemon(one), pid_of_daemon(two)) << "round " << round;
    ASSERT_EQ(run({"stop"}), 0);
  }
}

TEST_F(Protocol, TheDaemonLeavesWhenNobodyWasConnectedForAWhile) {
  configure("daemon.idle_exit_s = 1\ndaemon.orphan_exit_s = 60");
  auto& client = started_editor();
  client.open(uri("a.cpp"), "one = ");
  (void)client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 6));
  const auto now = status(client);
  const int daemon = now.value("pid", -1), engine = now["engine"].value("pid", -1);
  ASSERT_GT(daemon, 0);
  ASSERT_GT(engine, 0);
  EXPECT_FALSE(ends(daemon, std::chrono::milliseconds(1500))) << "somebody is connected";
  const auto left = std::chrono::steady_clock::now();
  client.close_input();
  EXPECT_TRUE(ends(daemon, std::chrono::seconds(10)));
  EXPECT_TRUE(ends(engine, std::chrono::seconds(10)));
  EXPECT_GE(std::chrono::steady_clock::now() - left, std::chrono::milliseconds(900)) << "too soon";
}

TEST_F(Protocol, TheDaemonOutlivesAnEditorThatIsClosed) {
  auto& client = started_editor();
  const int daemon = pid_of_daemon(client);
  ASSERT_GT(daemon, 0);
  ASSERT_TRUE(client.call("shutdown", nullptr).contains("result"));
  client.notify("exit", nullptr);
  EXPECT_EQ(client.wait_exit(), 0);
  EXPECT_FALSE(ends(daemon, std::chrono::milliseconds(2000)));
}

TEST_F(Protocol, NothingStaysWhenTheEditorIsKilled) {
  // Whoever holds the other end of our pipes is not always the editor: its death counts as well.
  pid_t window = 0;
  std::string sleep = "/bin/sleep", minute = "60";
  char* words[] = {sleep.data(), minute.data(), nullptr};
  ASSERT_EQ(::posix_spawn(&window, words[0], nullptr, nullptr, words, environ), 0);
  auto& by_option = editor({"lsp", "--clientProcessId=" + std::to_string(window)});
  auto& client = editor();
  ASSERT_TRUE(
      client
          .call("initialize",
                {{"processId", window}, {"rootUri", nullptr}, {"capabilities", json::object()}})
          .contains("result"));
  client.open(uri("a.cpp"), "one = ");
  (void)client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 6));
  const auto now = status(client);
  const int daemon = now.value("pid", -1), engine = now["engine"].value("pid", -1);
  ASSERT_GT(engine, 0);
  ::kill(window, SIGKILL);
  ::waitpid(window, nullptr, 0);
  EXPECT_EQ(client.wait_exit(), 1) << "the forwarder";
  EXPECT_EQ(by_option.wait_exit(), 1) << "also before initialize";
  EXPECT_TRUE(ends(daemon, std::chrono::seconds(10)));
  EXPECT_TRUE(ends(engine, std::chrono::seconds(10)));
}

TEST_F(Protocol, TheDeathOfTheEngineCostsTheEngineAlone) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "one = ");
  const auto params = LspClient::inline_params(uri("a.cpp"), 0, 6);
  EXPECT_THAT(texts(client.call(kInline, params)), ElementsAre("one = 1;"));
  const auto before = status(client);
  ASSERT_EQ(::kill(before["engine"].value("pid", 0), SIGKILL), 0);
  EXPECT_THAT(client.notification("window/showMessage")["params"]["message"].get<std::string>(),
              HasSubstr("restart"));
  client.change(uri("a.cpp"), 2, "two = ");
  EXPECT_THAT(texts(client.call(kInline, params)), ElementsAre("two = 2;"));
  const auto after = status(client);
  EXPECT_EQ(after["pid"], before["pid"]) << "the daemon is the same";
  EXPECT_NE(after["engine"]["pid"], before["engine"]["pid"]);
}

// A model that ends the process at every question is no crash loop.
TEST_F(Protocol, AnEngineThatDiesAtEveryQuestionIsLeftAlone) {
  script(R"({"default": {"fault": "exit"}})");
  auto& client = started_editor();
  client.open(uri("a.cpp"), "one = ");
  const int daemon = pid_of_daemon(client);
  for (int i = 0; i < 6; ++i) {
    const auto reply = client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 6));
    ASSERT_TRUE(reply.contains("result")) << "no error that an editor shows: " << reply;
    EXPECT_TRUE(reply["result"].is_null());
  }
  EXPECT_EQ(pid_of_daemon(client), daemon);
  EXPECT_FALSE(status(client)["last_empty_answers"].empty()) << "status says why";
}

TEST_F(Protocol, UnsavedTextStaysInItsWindow) {
  script(R"({"record": ")" + (folder_ / "prompts.jsonl").string() +
         R"(", "default": {"answer": "1;"}})");
  constexpr int kWindows = 8;
  std::vector<LspClient*> windows;
  for (int i = 0; i < kWindows; ++i) {
    auto& client = *windows.emplace_back(&started_editor());
    const auto mark = "unsaved_in_" + std::to_string(i);
    client.open(uri("shared.cpp"), "int " + mark + "();\n");
    client.open(uri("a.cpp"), "int " + mark + "_too = " + mark + "();\nx = ");
  }
  std::vector<int> asked;
  for (auto* client : windows) {
    asked.push_back(client->request(kInline, LspClient::inline_params(uri("a.cpp"), 1, 4, 2)));
  }
  for (int i = 0; i < kWindows; ++i) {
    EXPECT_THAT(
        texts(windows[static_cast<std::size_t>(i)]->reply(asked[static_cast<std::size_t>(i)])),
        ElementsAre("x = 1;"));
  }
  std::ifstream in(folder_ / "prompts.jsonl");
  std::vector<int> prompts_of(kWindows);
  for (std::string line; std::getline(in, line);) {
    int marks = 0;
    for (int i = 0; i < kWindows; ++i) {
      if (line.find("unsaved_in_" + std::to_string(i)) == std::string::npos) continue;
      ++marks;
      ++prompts_of[static_cast<std::size_t>(i)];
    }
    EXPECT_LE(marks, 1) << "text of two windows in one prompt: " << line.substr(0, 2000);
  }
  // One for the question, and perhaps one for what comes after its answer.
  EXPECT_THAT(prompts_of, ::testing::Each(::testing::Ge(1)));
}

}  // namespace
}  // namespace ambit::testing
