// Diagnostics pushed to one client and pulled by another, never both.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/protocol/seams.h"

namespace ambit::testing {
namespace {

using daemon::FeatureRun;
using json = nlohmann::json;

constexpr const char* kExecute = "workspace/executeCommand";
constexpr const char* kPush = "textDocument/publishDiagnostics";
constexpr const char* kPull = "textDocument/diagnostic";
constexpr const char* kPullAll = "workspace/diagnostic";
constexpr const char* kRefresh = "workspace/diagnostic/refresh";
const json kPulls = {
    {"textDocument", {{"diagnostic", {{"dataSupport", true}, {"relatedInformation", true}}}}},
    {"workspace", {{"diagnostics", {{"refreshSupport", true}}}}}};

json finding(const json& message) {
  const json range = {{"start", {{"line", 0}, {"character", 4}}},
                      {"end", {{"line", 0}, {"character", 7}}}};
  return {{"range", range},
          {"severity", 2},
          {"code", "unused"},
          {"codeDescription", {{"href", "ambit-help:/unused"}}},
          {"source", "ambit"},
          {"message", message},
          {"tags", {1, 2}},
          {"relatedInformation",
           {{{"location", {{"uri", "file:///b.cpp"}, {"range", range}}}, {"message", "here"}}}},
          {"data", {{"fingerprint", "f1"}}}};
}

class Findings : public Seams {
 protected:
  void SetUp() override {
    Seams::SetUp();
    features.commands = {// [uri, source, items], as a review gives them
                         {"ambit.set",
                          [](FeatureRun& run, const json& a) {
                            run.session->set_diagnostics(a[0], a[1], 1, a[2]);
                            return lsp::Json();
                          }},
                         {"ambit.clear", [](FeatureRun& run, const json&) {
                            run.session->clear_diagnostics("review");
                            return lsp::Json();
                          }}};
  }
  void set(LspClient& client, const std::string& of, const json& items,
           const char* source = "review") {
    EXPECT_TRUE(result(client.call(kExecute, run("ambit.set", {of, source, items}))).is_null());
  }
  static json pull_params(const std::string& of, const json& previous = nullptr) {
    json params = {{"textDocument", {{"uri", of}}}, {"identifier", "ambit-review"}};
    if (!previous.is_null()) params["previousResultId"] = previous;
    return params;
  }
};

// review.on_save: a save is a review of the file, and of the last one only.
TEST_F(Findings, AreLookedForOnASaveWhenTheSettingSaysSo) {
  std::atomic<int> reviews = 0, stopped = 0;
  std::atomic<bool> hold = true;
  features.commands.push_back(
      {"ambit.review", [&](FeatureRun& run, const json& a) -> Result<lsp::Json> {
         ++reviews;
         while (hold && !run.stop.stop_requested())
           std::this_thread::sleep_for(std::chrono::milliseconds(1));
         if (run.stop.stop_requested()) {
           ++stopped;
           return make_error(Code::kCancelled, "");
         }
         run.session->set_diagnostics(a[0]["uri"], "review", 1, json::array({finding("saved")}));
         return lsp::Json();
       }});
  auto& client = started({});
  const json saved = {{"textDocument", {{"uri", uri()}}}};
  client.notify("textDocument/didSave", saved);
  set(client, uri(), json::array({finding("a")}), "other");  // behind the save
  EXPECT_EQ(reviews, 0);
  (void)client.notification(kPush);
  client.notify("workspace/didChangeConfiguration",
                {{"settings", {{"ambit", {{"review", {{"on_save", true}}}}}}}});
  client.notify("textDocument/didSave", saved);
  client.notify("textDocument/didSave", saved);
  for (int i = 0; i < 5000 && stopped == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(stopped, 1) << "the first save's review goes on";
  hold = false;
  EXPECT_EQ(client.notification(kPush)["params"]["diagnostics"].size(), 2U);
  EXPECT_EQ(reviews, 2);
}

TEST_F(Findings, ArePushedWithoutWhatTheClientDoesNotTake) {
  auto& client = started({{"textDocument", {{"publishDiagnostics", json::object()}}}});
  EXPECT_FALSE(hello_["result"]["capabilities"].contains("diagnosticProvider"));
  set(client, uri(), json::array({finding({{"kind", "markdown"}, {"value", "is **unused**"}})}));
  const json params = client.notification(kPush)["params"];
  EXPECT_EQ(params["uri"], uri());
  EXPECT_FALSE(params.contains("version"));
  ASSERT_EQ(params["diagnostics"].size(), 1U);
  const json& shown = params["diagnostics"][0];
  EXPECT_EQ(shown["message"], "is **unused**");
  for (const char* absent : {"codeDescription", "tags", "relatedInformation", "data"}) {
    EXPECT_FALSE(shown.contains(absent)) << absent;
  }
  EXPECT_EQ(error_code(client.call(kExecute, run("ambit.nobody"))), -32602);
  EXPECT_EQ(client.unread(kRefresh), 0);
}

TEST_F(Findings, ArePushedWithAllThatTheClientTakes) {
  auto& client = started({{"textDocument",
                           {{"publishDiagnostics",
                             {{"relatedInformation", true},
                              {"versionSupport", true},
                              {"codeDescriptionSupport", true},
                              {"dataSupport", true},
                              {"tagSupport", {{"valueSet", {1}}}}}}}}});
  set(client, uri(), json::array({finding("unused")}));
  const json params = client.notification(kPush)["params"];
  EXPECT_EQ(params["version"], 1);
  json expected = finding("unused");
  expected["tags"] = {1};
  EXPECT_EQ(params["diagnostics"], json::array({expected}));
}

TEST_F(Findings, OfSeveralSourcesAreOneList) {
  auto& client = started({});
  set(client, uri(), json::array({finding("a")}), "review");
  set(client, uri(), json::array({finding("b")}), "check");
  EXPECT_EQ(client.notification(kPush)["params"]["diagnostics"].size(), 1U);
  EXPECT_EQ(client.notification(kPush)["params"]["diagnostics"].size(), 2U);
  set(client, uri(), json::array(), "check");
  EXPECT_EQ(client.notification(kPush)["params"]["diagnostics"].size(), 1U);
  (void)client.call(kExecute, run("ambit.clear"));
  EXPECT_EQ(client.notification(kPush)["params"]["diagnostics"], json::array());
  (void)client.call(kExecute, run("ambit.clear"));
  set(client, uri(), json::array(), "check");
  EXPECT_EQ(client.unread(kPush), 0) << "nothing changed, nothing is sent";
}

TEST_F(Findings, ArePulledAndNeverPushed) {
  auto& client = started(kPulls);
  EXPECT_EQ(hello_["result"]["capabilities"]["diagnosticProvider"]["identifier"], "ambit-review");
  const json none = result(client.call(kPull, pull_params(uri())));
  EXPECT_EQ(none["kind"], "full");
  EXPECT_EQ(none["items"], json::array());
  EXPECT_EQ(result(client.call(kPull, pull_params(uri(), none["resultId"])))["kind"], "unchanged");
  set(client, uri(), json::array({finding("unused")}));
  EXPECT_TRUE(client.server_request(kRefresh).is_object());
  const json some = result(client.call(kPull, pull_params(uri(), none["resultId"])));
  ASSERT_EQ(some["items"].size(), 1U);
  EXPECT_EQ(some["items"][0]["data"]["fingerprint"], "f1");
  EXPECT_FALSE(some["items"][0].contains("tags"));
  EXPECT_EQ(result(client.call(kPull, pull_params(uri(), some["resultId"]))),
            json({{"kind", "unchanged"}, {"resultId", some["resultId"]}}));
  EXPECT_EQ(result(client.call(kPull, pull_params("file:///other.cpp", "x")))["items"],
            json::array());
  EXPECT_EQ(client.unread(kPush), 0);
}

TEST_F(Findings, MayBeMarkdownInAPull) {
  auto& client = started({{"textDocument", {{"diagnostic", {{"markupMessageSupport", true}}}}}});
  const json message = {{"kind", "markdown"}, {"value", "**unused**"}};
  set(client, uri(), json::array({finding(message)}));
  EXPECT_EQ(result(client.call(kPull, pull_params(uri())))["items"][0]["message"], message);
}

TEST_F(Findings, OfTheWorkspaceAreAnsweredWhenThereAreSome) {
  auto& client = started(kPulls);
  const json nothing_known = {{"previousResultIds", json::array()}};
  const int held = client.request(kPullAll, nothing_known);
  set(client, uri(), json::array({finding("unused")}));
  const json first = result(client.reply(held));
  ASSERT_EQ(first["items"].size(), 1U);
  EXPECT_EQ(first["items"][0]["uri"], uri());
  EXPECT_EQ(first["items"][0]["version"], 1);
  // Known already: held until it goes away.
  const json known = {
      {"previousResultIds", {{{"uri", uri()}, {"value", first["items"][0]["resultId"]}}}}};
  const int again = client.request(kPullAll, known);
  (void)client.call(kExecute, run("ambit.clear"));
  EXPECT_EQ(result(client.reply(again))["items"][0]["items"], json::array());
  // A newer request answers the older one; cancel and shutdown answer what is held.
  const int older = client.request(kPullAll, nothing_known);
  const int newer = client.request(kPullAll, nothing_known);
  EXPECT_EQ(result(client.reply(older))["items"], json::array());
  client.notify("$/cancelRequest", {{"id", newer}});
  EXPECT_EQ(error_code(client.reply(newer)), -32800);
  const int last = client.request(kPullAll, nothing_known);
  EXPECT_TRUE(result(client.call("shutdown", nullptr)).is_null());
  EXPECT_EQ(result(client.reply(last))["items"], json::array());
}

TEST_F(Findings, OfTheWorkspaceAreStreamedWhereTheClientTakesParts) {
  auto& client = started(kPulls);
  const int held = client.request(
      kPullAll, {{"previousResultIds", json::array()}, {"partialResultToken", "part"}});
  set(client, uri(), json::array({finding("unused")}));
  const json part = client.notification("$/progress")["params"];
  EXPECT_EQ(part["token"], "part");
  EXPECT_EQ(part["value"]["items"][0]["items"].size(), 1U);
  set(client, "file:///b.cpp", json::array({finding("too")}));
  EXPECT_EQ(client.notification("$/progress")["params"]["value"]["items"].size(), 1U);
  EXPECT_EQ(client.replies_to(held), 0);
  EXPECT_TRUE(result(client.call("shutdown", nullptr)).is_null());
  EXPECT_EQ(result(client.reply(held))["items"], json::array());
}

}  // namespace
}  // namespace ambit::testing
