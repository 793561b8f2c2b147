#include <gmock/gmock.h>
#include <signal.h>

#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

using ::testing::ElementsAre;
using json = nlohmann::json;

constexpr const char* kInline = "textDocument/inlineCompletion";

TEST_F(Protocol, CompletesAtTheCursor) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "int total = \n");
  const auto reply = client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 12));
  EXPECT_THAT(texts(reply), ElementsAre("int total = price * count;")) << reply.dump();
}

TEST_F(Protocol, FollowsEditsInUtf16Columns) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "// one\nauto s = \"😀?\"; int x\n");
  const auto edit = [](int from, int to, const char* text) {
    return json{{"range",
                 {{"start", {{"line", 1}, {"character", from}}},
                  {"end", {{"line", 1}, {"character", to}}}}},
                {"text", text}};
  };
  // The second change is on the text that the first one left; 2147483647 is "end of the line".
  client.notify(
      "textDocument/didChange",
      {{"textDocument", {{"uri", uri("a.cpp")}, {"version", 5}}},
       {"contentChanges", json::array({edit(12, 13, "!"), edit(20, 2147483647, "sum = ")})}});
  const auto reply = client.call(kInline, LspClient::inline_params(uri("a.cpp"), 1, 26));
  EXPECT_THAT(texts(reply), ElementsAre("auto s = \"😀!\"; int sum = synced;")) << reply.dump();
}

TEST_F(Protocol, AnswersTypeThroughFromTheCache) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "once = ");
  EXPECT_THAT(texts(client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 7))),
              ElementsAre("once = first_answer();"));
  client.change(uri("a.cpp"), 2, "once = fir");
  // The script answers something else here, so only the cache can say this.
  EXPECT_THAT(texts(client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 10, 2))),
              ElementsAre("once = first_answer();"));
}

TEST_F(Protocol, EndsSupersededAndCancelledRequestsWithOneReplyEach) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "slow = ");
  const auto params = LspClient::inline_params(uri("a.cpp"), 0, 7);
  const int first = client.request(kInline, params);
  const int second = client.request(kInline, params);
  EXPECT_EQ(error_code(client.reply(first)), -32800) << "superseded";
  client.notify("$/cancelRequest", {{"id", second}});
  EXPECT_EQ(error_code(client.reply(second)), -32800) << "cancelled";
  client.notify("$/cancelRequest", {{"id", second}});
  client.change(uri("a.cpp"), 2, "int total = ");
  EXPECT_THAT(texts(client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 12))),
              ElementsAre("int total = price * count;"));
  EXPECT_EQ(client.replies_to(first), 1);
  EXPECT_EQ(client.replies_to(second), 1);
}

TEST_F(Protocol, AnswersNullWhenThereIsNothingToOffer) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "nothing matches ");
  const auto reply = client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 16));
  ASSERT_TRUE(reply.contains("result")) << reply.dump();
  EXPECT_TRUE(reply["result"].is_null()) << reply.dump();
  const auto closed = client.call(kInline, LspClient::inline_params(uri("never.cpp"), 0, 0));
  ASSERT_TRUE(closed.contains("result")) << closed.dump();
  EXPECT_TRUE(closed["result"].is_null()) << closed.dump();
}

TEST_F(Protocol, KeepsWindowsApartInOneDaemon) {
  auto& one = started_editor();
  auto& two = started_editor();
  one.open(uri("a.cpp"), "one = ");
  two.open(uri("a.cpp"), "two = ");
  const auto params = LspClient::inline_params(uri("a.cpp"), 0, 6);
  const int first = one.request(kInline, params);
  const int second = two.request(kInline, params);
  EXPECT_THAT(texts(two.reply(second)), ElementsAre("two = 2;"));
  EXPECT_THAT(texts(one.reply(first)), ElementsAre("one = 1;"));
  EXPECT_EQ(pid_of_daemon(one), pid_of_daemon(two));
  one.notify("exit", nullptr);
  EXPECT_EQ(one.wait_exit(), 1);
  EXPECT_THAT(texts(two.call(kInline, params)), ElementsAre("two = 2;"));
}

TEST_F(Protocol, ReplacesAKilledDaemonUnderTheEditor) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "one = ");
  client.change(uri("a.cpp"), 2, "int total = ");
  const int before = pid_of_daemon(client);
  ASSERT_GT(before, 0);
  ASSERT_EQ(::kill(before, SIGKILL), 0);
  const auto said = client.notification("window/showMessage");
  ASSERT_TRUE(said.is_object()) << "nobody was told";
  // The document, with its edit, was told to the new daemon by the forwarder.
  EXPECT_THAT(texts(client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 12))),
              ElementsAre("int total = price * count;"));
  const int after = pid_of_daemon(client);
  EXPECT_GT(after, 0);
  EXPECT_NE(after, before);
}

}  // namespace
}  // namespace ambit::testing
