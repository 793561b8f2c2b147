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

// An editor without ghost text, with these members in completionItem.
json lists(const json& item) {
  return {{"textDocument",
           {{"inlineCompletion", nullptr}, {"completion", {{"completionItem", item}}}}}};
}

TEST_F(Protocol, OffersAListToEditorsWithoutGhostText) {
  script(R"x({"default": {"answer": "first(\"```\");\n  second();\n}"}})x");
  auto& client = editor();
  client.capabilities.merge_patch(lists({{"labelDetailsSupport", true},
                                         {"documentationFormat", {"markdown"}},
                                         {"insertTextModeSupport", {{"valueSet", {1}}}}}));
  const auto hello = client.start("file://" + (folder_ / "project").string());
  EXPECT_EQ(hello["result"]["capabilities"]["completionProvider"]["resolveProvider"], true);
  client.open(uri("a.cpp"), "void f() {\n  ");
  const json params = {{"textDocument", {{"uri", uri("a.cpp")}}},
                       {"position", {{"line", 1}, {"character", 2}}},
                       {"context", {{"triggerKind", 1}}}};
  const auto list = client.call("textDocument/completion", params)["result"];
  EXPECT_EQ(list["isIncomplete"], true);
  ASSERT_EQ(list["items"].size(), 1U) << list;
  const json& item = list["items"][0];
  EXPECT_EQ(item["label"], "first(\"```\");");
  EXPECT_EQ(item["filterText"], "  ") << "what stands before the cursor";
  const auto whole = item["textEdit"]["newText"].get<std::string>();
  EXPECT_THAT(whole, ::testing::StartsWith("  first(\"```\");\n  second();")) << "several lines";
  EXPECT_EQ(item["textEdit"]["range"]["start"]["character"], 0);
  EXPECT_EQ(item["insertTextMode"], 1);
  EXPECT_EQ(item["labelDetails"]["description"], "ambit");
  const auto resolved = client.call("completionItem/resolve", item)["result"];
  EXPECT_EQ(resolved["documentation"]["value"], "````cpp\n" + whole.substr(2) + "\n````");
  EXPECT_EQ(resolved["textEdit"], item["textEdit"]);

  auto& plain = started_editor(lists(json::object()));
  plain.open(uri("a.cpp"), "void f() {\n  ");
  const auto bare = plain.call("textDocument/completion", params)["result"]["items"][0];
  for (const char* absent : {"insertTextMode", "labelDetails", "documentation"}) {
    EXPECT_FALSE(bare.contains(absent)) << absent;
  }
  EXPECT_EQ(plain.call("completionItem/resolve", bare)["result"]["documentation"], whole.substr(2));
}

// Some editors show ghost text and the list, and ask for both after each keystroke.
TEST_F(Protocol, AnswersGhostTextAndTheListFromOneGeneration) {
  auto& client = started_editor({{"textDocument", {{"completion", json::object()}}}});
  client.open(uri("a.cpp"), "int total = ");
  const auto place = LspClient::inline_params(uri("a.cpp"), 0, 12, 2);
  json list = {{"textDocument", place["textDocument"]},
               {"position", place["position"]},
               {"context", {{"triggerKind", 1}}}};
  const int ghost = client.request(kInline, place);
  const int entries = client.request("textDocument/completion", list);
  EXPECT_THAT(texts(client.reply(ghost)), ElementsAre("int total = price * count;"));
  EXPECT_EQ(client.reply(entries)["result"]["items"][0]["label"], "price * count;");

  // One is cancelled, the other is answered; newer typing ends both.
  client.change(uri("a.cpp"), 2, "one = ");
  list["position"]["character"] = 6;
  const auto short_place = LspClient::inline_params(uri("a.cpp"), 0, 6, 2);
  const int cancelled = client.request("textDocument/completion", list);
  const int kept = client.request(kInline, short_place);
  client.notify("$/cancelRequest", {{"id", cancelled}});
  EXPECT_EQ(error_code(client.reply(cancelled)), -32800);
  EXPECT_THAT(texts(client.reply(kept)), ElementsAre("one = 1;"));

  client.change(uri("a.cpp"), 3, "slow = ");
  list["position"]["character"] = 7;
  const auto slow_place = LspClient::inline_params(uri("a.cpp"), 0, 7, 2);
  const int first = client.request(kInline, slow_place);
  const int second = client.request("textDocument/completion", list);
  client.change(uri("a.cpp"), 4, "slow = one = ");
  (void)client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 13, 2));
  EXPECT_EQ(error_code(client.reply(first)), -32800);
  EXPECT_EQ(error_code(client.reply(second)), -32800);
}

TEST_F(Protocol, ContinuesTheEntryThatIsChosenInTheList) {
  script(R"({"rules": [{"match": "x.push_back<｜fim▁hole｜>", "answer": "(total);"}]})");
  auto& client = started_editor();
  client.open(uri("a.cpp"), "x.pu\n");
  const json range = {{"start", {{"line", 0}, {"character", 2}}},
                      {"end", {{"line", 0}, {"character", 4}}}};
  auto params = LspClient::inline_params(uri("a.cpp"), 0, 4, 2);
  params["context"]["selectedCompletionInfo"] = {{"range", range}, {"text", "push_back"}};
  const auto item = client.call(kInline, params)["result"]["items"][0];
  EXPECT_EQ(item["range"], range);
  EXPECT_EQ(item["insertText"], "push_back(total);");
  EXPECT_TRUE(
      client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 4))["result"].is_null())
      << "without the entry the script has no answer";
}

TEST_F(Protocol, RefusesAQuestionAboutAnOlderText) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "one = ");
  client.change(uri("a.cpp"), 4, "int total = ");
  auto params = LspClient::inline_params(uri("a.cpp"), 0, 6);
  params["textDocument"]["version"] = 1;  // some clients say it
  const int id = client.request_unchecked(kInline, params);
  EXPECT_EQ(error_code(client.reply(id)), -32801);
}

TEST_F(Protocol, EndsTheRequestsOfAClosedDocument) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "slow = ");
  const int id = client.request(kInline, LspClient::inline_params(uri("a.cpp"), 0, 7));
  client.notify("textDocument/didClose", {{"textDocument", {{"uri", uri("a.cpp")}}}});
  EXPECT_EQ(error_code(client.reply(id)), -32801);
  client.notify("textDocument/didSave", {{"textDocument", {{"uri", uri("a.cpp")}}}});  // VS Code
  EXPECT_GT(pid_of_daemon(client), 0);
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
