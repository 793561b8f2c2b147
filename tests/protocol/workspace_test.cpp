// What a window tells about itself while it is open: encodings, settings, folders, files, tracing;
// and what it is told without asking.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using json = nlohmann::json;

constexpr const char* kInline = "textDocument/inlineCompletion";
constexpr const char* kRegister = "client/registerCapability";
constexpr const char* kUnregister = "client/unregisterCapability";

TEST_F(Protocol, TakesTheEncodingThatSuitsBoth) {
  const auto chosen = [&](const json& offered, int column) {
    auto& client = editor();
    client.capabilities["general"]["positionEncodings"] = offered;
    if (offered.is_null()) client.capabilities.erase("general");
    const auto hello = client.start("file://" + (folder_ / "project").string());
    client.open(uri("a.cpp"), "auto s = \"😀!\"; int sum = \n");
    const auto reply = client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, column));
    EXPECT_THAT(texts(reply), ElementsAre("auto s = \"😀!\"; int sum = synced;")) << offered;
    EXPECT_EQ(reply["result"]["items"][0]["range"]["end"]["character"], column);
    return hello["result"]["capabilities"]["positionEncoding"].get<std::string>();
  };
  EXPECT_EQ(chosen({"utf-32", "utf-8", "utf-16"}, 28), "utf-8");
  EXPECT_EQ(chosen({"utf-32", "utf-16"}, 25), "utf-32");
  EXPECT_EQ(chosen({"utf-16"}, 26), "utf-16");
  EXPECT_EQ(chosen({"utf-7"}, 26), "utf-16");
  EXPECT_EQ(chosen(nullptr, 26), "utf-16");
}

// Waits until the daemon has handled everything that was sent to it.
void settle(LspClient& client) {
  (void)client.call("workspace/executeCommand", {{"command", "ambit.nobody"}});
}

TEST_F(Protocol, PullsSettingsAndFollowsTheirChange) {
  auto& client = editor();
  client.capabilities.merge_patch(
      {{"workspace", {{"didChangeConfiguration", {{"dynamicRegistration", true}}}}}});
  client.settings = {{"completion", {{"enabled", false}}}};
  client.start("file://" + (folder_ / "project").string());
  const json registered = client.server_request(kRegister)["params"]["registrations"];
  ASSERT_EQ(registered.size(), 1U) << registered;
  EXPECT_EQ(registered[0]["method"], "workspace/didChangeConfiguration");
  EXPECT_EQ(registered[0]["registerOptions"]["section"], "ambit");
  EXPECT_EQ(client.server_request("workspace/configuration")["params"]["items"],
            json::array({{{"section", "ambit"}}}));
  settle(client);
  client.open(uri("a.cpp"), "one = ");
  const auto params = LspClient::inline_params(uri("a.cpp"), 0, 6);
  EXPECT_THAT(texts(client.call(kInline, params)), IsEmpty()) << "switched off in this window";
  client.settings = nullptr;  // VS Code says null when nothing is set
  client.notify("workspace/didChangeConfiguration", {{"settings", {{"ambit", json::object()}}}});
  EXPECT_TRUE(client.server_request("workspace/configuration").is_object()) << "asked again";
  settle(client);
  EXPECT_THAT(texts(client.call(kInline, params)), ElementsAre("one = 1;"));
  // Neovim pushes what it has and is not asked.
  auto& pushing = started_editor({{"workspace", {{"configuration", false}}}});
  pushing.open(uri("a.cpp"), "one = ");
  pushing.notify("workspace/didChangeConfiguration",
                 {{"settings", {{"ambit", {{"completion", {{"enabled", false}}}}}}}});
  EXPECT_THAT(texts(pushing.call(kInline, params)), IsEmpty());
  EXPECT_EQ(pushing.unread("workspace/configuration"), 0);
}

TEST_F(Protocol, RegistersTheListWhenASettingAsksForIt) {
  auto& client = editor();
  client.capabilities.merge_patch(
      {{"textDocument", {{"completion", {{"dynamicRegistration", true}}}}}});
  client.settings = {{"completion", {{"fallback", "on"}}}};
  const auto hello = client.start("file://" + (folder_ / "project").string());
  EXPECT_FALSE(hello["result"]["capabilities"].contains("completionProvider"));
  const json registered = client.server_request(kRegister)["params"]["registrations"][0];
  EXPECT_EQ(registered["method"], "textDocument/completion");
  client.settings = {{"completion", {{"fallback", "off"}}}};
  client.notify("workspace/didChangeConfiguration", {{"settings", nullptr}});
  const json taken_back = client.server_request(kUnregister)["params"]["unregisterations"][0];
  EXPECT_EQ(taken_back["id"], registered["id"]);
  settle(client);
  EXPECT_EQ(client.unread(kRegister), 0);
}

json roots(LspClient& client) {
  json out = json::array();
  const auto status = client.call("workspace/executeCommand", {{"command", "ambit.status"}});
  for (const auto& workspace : status["result"]["workspaces"]) out.push_back(workspace["root"]);
  return out;
}

TEST_F(Protocol, FollowsTheFoldersOfTheWindow) {
  std::filesystem::create_directories(folder_ / "other");
  // A repository: a file of one has its workspace also without a folder of the window.
  std::filesystem::create_directories(folder_ / "project/.git");
  const auto project = (folder_ / "project").string(), other = (folder_ / "other").string();
  auto& client = started_editor();
  EXPECT_EQ(roots(client), json::array({project}));
  const auto change = [&](const char* what, const std::string& path) {
    json event = {{"added", json::array()}, {"removed", json::array()}};
    event[what].push_back({{"uri", "file://" + path}, {"name", "x"}});
    client.notify("workspace/didChangeWorkspaceFolders", {{"event", event}});
  };
  change("added", other);
  EXPECT_EQ(roots(client), json::array({other, project}));
  client.open(uri("a.cpp"), "one = ");
  change("removed", project);
  EXPECT_EQ(roots(client), json::array({other, project})) << "a file of it is still open";
  client.notify("textDocument/didClose", {{"textDocument", {{"uri", uri("a.cpp")}}}});
  change("removed", other);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!roots(client).empty() && std::chrono::steady_clock::now() < until) continue;
  EXPECT_EQ(roots(client), json::array());
}

TEST_F(Protocol, ReadsWatchedFilesAgain) {
  configure("watch.mode = \"off\"");
  std::ofstream(folder_ / "project/a.cpp") << "int first_name() { return 1; }\n";
  auto& client =
      started_editor({{"workspace", {{"didChangeWatchedFiles", {{"dynamicRegistration", true}}}}}});
  const json registered = client.server_request(kRegister)["params"]["registrations"][0];
  EXPECT_EQ(registered["method"], "workspace/didChangeWatchedFiles");
  // Renaming is the index's work: it says what it knows.
  const auto knows = [&](const std::string& name) {
    const auto reply = client.call(
        "workspace/executeCommand",
        {{"command", "ambit.refactor"},
         {"arguments", json::array({json{{"instruction", "rename " + name + " to another"},
                                         {"uri", uri("a.cpp")}}})}});
    return reply.contains("result") && reply["result"].value("files", 0) > 0;
  };
  EXPECT_TRUE(knows("first_name"));
  EXPECT_FALSE(knows("second_name"));
  std::ofstream(folder_ / "project/b.cpp") << "int second_name() { return 2; }\n";
  // VS Code says the same creation twice and a change with it; others name files that are gone.
  const auto event = [](const std::string& of, int type) {
    return json{{"uri", of}, {"type", type}};
  };
  client.notify("workspace/didChangeWatchedFiles",
                {{"changes",
                  {event(uri("b.cpp"), 1), event(uri("b.cpp"), 1), event(uri("b.cpp"), 2),
                   event(uri("never.cpp"), 3), event("untitled:x", 1)}}});
  bool found = false;
  for (int i = 0; i < 500 && !found; ++i) found = knows("second_name");
  EXPECT_TRUE(found);
}

TEST_F(Protocol, HasNoRepositoryWithoutAFolder) {
  auto& client = editor();
  ASSERT_TRUE(client.start("").contains("result"));
  EXPECT_EQ(roots(client), json::array());
  client.notify("textDocument/didOpen", {{"textDocument",
                                          {{"uri", "untitled:Untitled-1"},
                                           {"languageId", "cpp"},
                                           {"version", 1},
                                           {"text", "int total = "}}}});
  EXPECT_THAT(texts(client.call(kInline, LspClient::inline_params("untitled:Untitled-1", 0, 12))),
              ElementsAre("int total = price * count;"));
}

TEST_F(Protocol, RefusesToIndexTheHomeDirectoryAndSaysSo) {
  auto& client = editor();
  ASSERT_TRUE(client.start("file://" + (folder_ / "home").string()).contains("result"));
  const json said = client.notification("window/logMessage")["params"];
  EXPECT_EQ(said["type"], 2);
  EXPECT_THAT(said["message"].get<std::string>(), HasSubstr("home directory"));
  EXPECT_EQ(roots(client), json::array());
}

TEST_F(Protocol, TracesWhatWasAnsweredAndWhyNothingWas) {
  auto& client = started_editor();
  client.open(uri("a.cpp"), "nothing matches ");
  const auto params = LspClient::inline_params(uri("a.cpp"), 0, 16);
  (void)client.call(kInline, params);
  EXPECT_EQ(client.unread("$/logTrace"), 0) << "off until somebody asks";
  client.notify("$/setTrace", {{"value", "verbose"}});
  (void)client.call(kInline, params);
  EXPECT_THAT(client.notification("$/logTrace")["params"]["message"].get<std::string>(),
              HasSubstr("nothing to offer: "));
  EXPECT_THAT(client.notification("$/logTrace")["params"]["message"].get<std::string>(),
              HasSubstr(std::string(kInline) + " ("));
  client.notify("$/setTrace", {{"value", "messages"}});
  settle(client);
  EXPECT_THAT(client.notification("$/logTrace")["params"]["message"].get<std::string>(),
              HasSubstr("failed with -32602"));
  client.notify("$/setTrace", {{"value", "off"}});
  settle(client);
  EXPECT_EQ(client.unread("$/logTrace"), 0);
}

TEST_F(Protocol, TellsItsStateToEditorsThatShowIt) {
  auto& client = editor();
  client.capabilities["experimental"] = {{"ambitStatus", true}};
  client.start("file://" + (folder_ / "project").string());
  client.open(uri("a.cpp"), "one = ");
  (void)client.call(kInline, LspClient::inline_params(uri("a.cpp"), 0, 6));
  json last = json::object();
  const auto becomes = [&](const char* state) {
    while (last.value("state", "") != state) {
      const auto news = client.notification("ambit/status");
      if (!news.is_object()) return false;
      EXPECT_NE(news["params"], last) << "news only";
      last = news["params"];
    }
    return true;
  };
  EXPECT_TRUE(becomes("ready")) << last;
  client.settings = {{"enabled", false}};
  client.notify("workspace/didChangeConfiguration", {{"settings", {{"ambit", client.settings}}}});
  EXPECT_TRUE(becomes("inactive")) << last;
  auto& modest = started_editor();
  settle(modest);
  EXPECT_EQ(modest.unread("ambit/status"), 0);
}

}  // namespace
}  // namespace ambit::testing
