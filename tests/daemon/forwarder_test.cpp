// The loop between an editor and the daemon, with this test as both: a thread runs forward(), and
// every wait on a stream has a deadline.
#include "daemon/forward/forwarder.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "lsp/framing.h"

namespace ambit::daemon {
namespace {

using nlohmann::json;

// One end of a stream of messages.
class Peer {
 public:
  Peer() = default;
  explicit Peer(FileDescriptor fd) : fd_(std::move(fd)) {
    const timeval deadline{10, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  }
  void send(const json& message) {
    const auto bytes = lsp::frame(message.dump());
    EXPECT_TRUE(write_all(fd_.get(), bytes.data(), bytes.size()));
  }
  // Null at the end of the stream and at the deadline.
  json next() {
    char buffer[4096];
    while (true) {
      if (auto event = reader_.next()) return json::parse(std::get<lsp::Frame>(*event).body);
      const auto n = ::read(fd_.get(), buffer, sizeof buffer);
      if (n <= 0) return nullptr;
      reader_.feed({buffer, static_cast<std::size_t>(n)});
    }
  }
  void close() { fd_.reset(); }

 private:
  FileDescriptor fd_;
  lsp::FrameReader reader_;
};

const json kInitialize = {{"jsonrpc", "2.0"},
                          {"id", 1},
                          {"method", "initialize"},
                          {"params", {{"processId", nullptr}, {"capabilities", json::object()}}}};
json answer(const json& id, const json& result) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"result", result}};
}
json ask(int id, const char* method, json params = json::object()) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}};
}
json note(const char* method, json params) {
  return {{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}};
}

json registers(const char* id) {
  return {{"registrations", json::array({{{"id", id}, {"method", "workspace/x"}}})}};
}

class ForwarderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    auto ends = socket_pair();
    ASSERT_TRUE(ends);
    editor_ = Peer(std::move(ends->first));
    inner_ = std::move(ends->second);
    options_.connect = [this]() -> Result<FileDescriptor> {
      std::lock_guard lock(mutex_);
      ++attempts_;
      if (refuse_) return make_error(Code::kUnavailable, "no such luck");
      auto pair = socket_pair();
      daemons_.push_back(std::move(pair->first));
      arrived_.notify_all();
      return std::move(pair->second);
    };
    options_.stopped = [this] { return stopped_.load(); };
    options_.pauses = {std::chrono::milliseconds(0), std::chrono::milliseconds(1),
                       std::chrono::milliseconds(2)};
  }
  void TearDown() override {
    editor_.close();
    if (thread_.joinable()) thread_.join();
  }
  void start() {
    thread_ = std::thread([this] { exit_code_ = forward(inner_.get(), inner_.get(), options_); });
  }
  // The daemon that was connected to next.
  Peer daemon() {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, std::chrono::seconds(10), [&] { return !daemons_.empty(); })) {
      ADD_FAILURE() << "nobody connects";
      return {};
    }
    auto fd = std::move(daemons_.front());
    daemons_.pop_front();
    return Peer(std::move(fd));
  }
  // A conversation up to the answer of initialize.
  Peer begin() {
    start();
    auto first = daemon();
    editor_.send(kInitialize);
    EXPECT_EQ(first.next()["method"], "initialize");
    first.send(answer(1, {{"capabilities", json::object()}}));
    EXPECT_EQ(editor_.next()["id"], 1);
    return first;
  }

  ForwardOptions options_;
  Peer editor_;
  FileDescriptor inner_;
  std::thread thread_;
  std::optional<int> exit_code_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<FileDescriptor> daemons_;
  int attempts_ = 0;
  bool refuse_ = false;
  std::atomic<bool> stopped_{false};
};

TEST_F(ForwarderTest, TellsTheNextDaemonWhatTheLastOneKnew) {
  auto first = begin();
  editor_.send(
      note("textDocument/didOpen",
           {{"textDocument",
             {{"uri", "file:///a"}, {"languageId", "c"}, {"version", 1}, {"text", "ab"}}}}));
  editor_.send(note(
      "textDocument/didChange",
      {{"textDocument", {{"uri", "file:///a"}, {"version", 2}}},
       {"contentChanges",
        {{{"range",
           {{"start", {{"line", 0}, {"character", 1}}}, {"end", {{"line", 0}, {"character", 1}}}}},
          {"text", "X"}}}}}));
  editor_.send(note("workspace/didChangeConfiguration", {{"settings", {{"ambit", 7}}}}));
  editor_.send(
      note("workspace/didChangeWorkspaceFolders",
           {{"event",
             {{"added", {{{"uri", "file:///w"}, {"name", "w"}}}}, {"removed", json::array()}}}}));
  editor_.send(ask(2, "textDocument/inlineCompletion"));
  editor_.send(ask(3, "workspace/executeCommand"));
  for (int i = 0; i < 6; ++i) (void)first.next();
  first.send(ask(49, "client/registerCapability", registers("ambit.watch")));
  EXPECT_EQ(editor_.next()["id"], 49);
  first.send(ask(50, "workspace/applyEdit"));
  EXPECT_EQ(editor_.next()["id"], 50);
  first.send(note("$/progress", {{"token", "t"}, {"value", {{"kind", "begin"}, {"title", ""}}}}));
  EXPECT_EQ(editor_.next()["params"]["value"]["kind"], "begin");
  first.close();

  auto second = daemon();
  EXPECT_EQ(editor_.next()["params"]["value"]["kind"], "end") << "no progress stays open";
  const auto hello = second.next();
  EXPECT_EQ(hello["method"], "initialize");
  EXPECT_EQ(hello["params"]["workspaceFolders"][0]["uri"], "file:///w");
  EXPECT_EQ(second.next()["method"], "initialized");
  EXPECT_EQ(second.next()["params"]["settings"]["ambit"], 7);
  const auto open = second.next()["params"]["textDocument"];
  EXPECT_EQ(open["text"], "aXb");
  EXPECT_EQ(open["version"], 2);
  EXPECT_EQ(second.next()["id"], 2) << "a request that only asks is asked again";
  const auto refused = editor_.next();
  EXPECT_EQ(refused["id"], 3);
  EXPECT_EQ(refused["error"]["code"], -32803) << "what may have acted is not done twice";
  EXPECT_EQ(editor_.next()["method"], "window/showMessage");
  second.send(answer(hello["id"], json::object()));  // must not reach the editor
  second.send(ask(1, "client/registerCapability", registers("ambit.watch")));
  EXPECT_EQ(second.next()["id"], 1) << "the editor has it already";
  second.send(ask(2, "client/registerCapability", registers("ambit.new")));
  EXPECT_EQ(editor_.next()["params"]["registrations"][0]["id"], "ambit.new");
  editor_.send(answer(50, {{"applied", true}}));  // answers the first daemon
  second.send(answer(2, nullptr));
  EXPECT_EQ(editor_.next()["id"], 2);
  editor_.send(note("initialized", json::object()));
  EXPECT_EQ(second.next()["method"], "initialized") << "the late answer was not passed on";
}

TEST_F(ForwarderTest, StopsTryingWhenTheReplayKillsEveryDaemon) {
  auto first = begin();
  first.close();
  for (int i = 0; i < 3; ++i) daemon().close();
  // At most one word about a restart, and one that it is over.
  std::string last;
  int messages = 0;
  editor_.send(ask(9, "textDocument/inlineCompletion"));
  for (json message = editor_.next(); message.is_object(); message = editor_.next()) {
    if (message.contains("id")) {
      EXPECT_EQ(message["id"], 9);
      EXPECT_TRUE(message["result"].is_null());
      break;
    }
    ++messages;
    last = message["params"]["message"];
  }
  EXPECT_LE(messages, 2);
  EXPECT_NE(last.find("ended 4 times"), std::string::npos) << last;
  EXPECT_EQ(attempts_, 4);
  editor_.send(ask(10, "workspace/executeCommand"));
  EXPECT_EQ(editor_.next()["error"]["code"], -32803);
  editor_.send(ask(11, "shutdown"));
  EXPECT_EQ(editor_.next()["id"], 11);
  editor_.send(note("exit", nullptr));
  thread_.join();
  EXPECT_EQ(exit_code_, 0);
}

TEST_F(ForwarderTest, StaysWithoutADaemonAndSaysWhyOnce) {
  refuse_ = true;
  start();
  editor_.send(ask(7, "textDocument/inlineCompletion"));
  EXPECT_EQ(editor_.next()["error"]["code"], -32002);
  editor_.send(kInitialize);
  EXPECT_EQ(editor_.next()["result"]["capabilities"], json::object());
  const auto why = editor_.next();
  EXPECT_EQ(why["method"], "window/showMessage");
  EXPECT_NE(why["params"]["message"].get<std::string>().find("no such luck"), std::string::npos);
  editor_.send(ask(8, "textDocument/diagnostic"));
  EXPECT_EQ(editor_.next()["result"]["kind"], "full");
  EXPECT_EQ(attempts_, 1);
  editor_.send(note("exit", nullptr));
  thread_.join();
  EXPECT_EQ(exit_code_, 1) << "no shutdown came before";
}

TEST_F(ForwarderTest, LeavesADaemonThatWasStoppedAloneUntilItIsNeeded) {
  auto first = begin();
  editor_.send(ask(2, "textDocument/inlineCompletion"));
  EXPECT_EQ(first.next()["id"], 2);
  stopped_ = true;
  first.close();
  EXPECT_EQ(editor_.next()["id"], 2) << "answered with nothing";
  editor_.send(note("textDocument/didClose", {{"textDocument", {{"uri", "file:///a"}}}}));
  editor_.send(ask(3, "textDocument/inlineCompletion"));
  auto second = daemon();
  EXPECT_EQ(second.next()["method"], "initialize");
  EXPECT_EQ(second.next()["method"], "initialized");
  EXPECT_EQ(second.next()["id"], 3);
  EXPECT_EQ(attempts_, 2);
}

TEST_F(ForwarderTest, PassesALotBothWaysWhileNobodyReads) {
  auto first = begin();
  const std::string text(1 << 20, 'x');
  // 8 MiB each way before either side reads: more than the sockets hold.
  std::thread talks([&] {
    for (int i = 0; i < 8; ++i) first.send(note("ambit/status", {{"message", text}}));
  });
  for (int i = 0; i < 8; ++i) editor_.send(note("$/setTrace", {{"value", text}}));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(first.next()["params"]["value"].get<std::string>(), text);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(editor_.next()["params"]["message"].get<std::string>(), text);
  }
  talks.join();
}

}  // namespace
}  // namespace ambit::daemon
