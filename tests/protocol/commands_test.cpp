// Long commands: their reply, their progress, both ways to cancel them, and what they ask of the
// editor meanwhile.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/protocol/seams.h"

namespace ambit::testing {
namespace {

using daemon::FeatureRun;
using daemon::Progress;
using ::testing::ElementsAre;
using json = nlohmann::json;

constexpr const char* kExecute = "workspace/executeCommand";
const json kProgress = {{"window", {{"workDoneProgress", true}}}};
const json kEdits = {{"workspace", {{"applyEdit", true}}}};

// Waits for its stop source, as a command in the middle of a generation does.
Result<lsp::Json> wait_for_stop(FeatureRun& run, const json&) {
  run.progress.begin("Waiting", 0);
  Gate gate;
  std::stop_callback stopped(run.stop, [&] { gate.open(); });
  if (!gate.wait()) return make_error(Code::kTimeout, "nobody cancelled");
  return make_error(Code::kCancelled, "cancelled");
}

TEST_F(Seams, AnnouncesExactlyTheCommandsThatItHas) {
  features.commands = {{"ambit.one", [](FeatureRun&, const json&) { return lsp::Json(); }}};
  started({});
  EXPECT_EQ(hello_["result"]["capabilities"]["executeCommandProvider"]["commands"],
            json::array({"ambit.one"}));
}

TEST_F(Seams, AnswersACommandWithWhatItGives) {
  features.commands = {
      {"ambit.echo", [](FeatureRun&, const json& arguments) { return lsp::Json(arguments); }},
      {"ambit.wrong",
       [](FeatureRun&, const json&) { return make_error(Code::kInvalidArgument, "no"); }},
      {"ambit.fail",
       [](FeatureRun&, const json&) { return make_error(Code::kUnavailable, "no model"); }},
      {"ambit.throw", [](FeatureRun&, const json& a) { return lsp::Json(a.at("missing")); }}};
  auto& client = started({});
  EXPECT_EQ(result(client.call(kExecute, run("ambit.echo", {1, "b"}))), json({1, "b"}));
  EXPECT_EQ(result(client.call(kExecute, {{"command", "ambit.echo"}})), json::array());
  EXPECT_EQ(error_code(client.call(kExecute, run("ambit.wrong"))), -32602);
  const auto failed = client.call(kExecute, run("ambit.fail"));
  EXPECT_EQ(error_code(failed), -32803);
  EXPECT_EQ(failed["error"]["message"], "no model");
  EXPECT_EQ(error_code(client.call(kExecute, run("ambit.throw"))), -32602);
  EXPECT_EQ(error_code(client.call(kExecute, run("ambit.nobody"))), -32602);
}

TEST_F(Seams, ShowsProgressOnATokenOfItsOwn) {
  features.commands = {{"ambit.work", [](FeatureRun& run, const json&) {
                          run.progress.begin("Working", 0, "first");
                          for (int i = 0; i < 10000; ++i) run.progress.report(i / 100, "more");
                          run.progress.report(5, "less");
                          run.progress.end("done");
                          return lsp::Json::integer(7);
                        }}};
  auto& client = started(kProgress);
  EXPECT_EQ(result(client.call(kExecute, run("ambit.work"))), json(7));
  EXPECT_TRUE(client.server_request("window/workDoneProgress/create").is_object());
  // The command was over before the editor agreed to the token, or just after: either way the
  // bar, if it was opened, was closed, and ten thousand reports are not ten thousand messages.
  (void)client.call(kExecute, run("ambit.nobody"));
  EXPECT_LE(client.unread("$/progress"), 10);
  int begun = 0, ended = 0;
  while (client.unread("$/progress") > 0) {
    const json value = client.notification("$/progress")["params"]["value"];
    begun += value["kind"] == "begin" ? 1 : 0;
    ended += value["kind"] == "end" ? 1 : 0;
  }
  EXPECT_EQ(begun, ended);
}

TEST_F(Seams, ShowsProgressOnTheTokenOfTheRequestBeforeTheReply) {
  features.commands = {{"ambit.work", [](FeatureRun& run, const json&) {
                          run.progress.begin("Working", 10);
                          run.progress.end("done");
                          return lsp::Json();
                        }}};
  auto& client = started({});
  json params = run("ambit.work");
  params["workDoneToken"] = "mine";
  EXPECT_TRUE(result(client.call(kExecute, params)).is_null());
  ASSERT_EQ(client.unread("$/progress"), 2) << "both came before the reply";
  const auto begin = client.notification("$/progress"), end = client.notification("$/progress");
  EXPECT_EQ(begin["params"], json({{"token", "mine"},
                                   {"value",
                                    {{"kind", "begin"},
                                     {"title", "Working"},
                                     {"cancellable", true},
                                     {"percentage", 10}}}}));
  EXPECT_EQ(end["params"]["value"], json({{"kind", "end"}, {"message", "done"}}));
  EXPECT_EQ(client.unread("window/workDoneProgress/create"), 0);
}

TEST_F(Seams, SendsNothingOnATokenThatTheEditorRefused) {
  features.commands = {{"ambit.wait", wait_for_stop}};
  auto& client = started(kProgress);
  client.on_request = [](const json&) {
    return json{{"error", {{"code", -32603}, {"message", "no"}}}};
  };
  const int id = client.request(kExecute, run("ambit.wait"));
  EXPECT_TRUE(client.server_request("window/workDoneProgress/create").is_object());
  client.notify("$/cancelRequest", {{"id", id}});
  EXPECT_EQ(error_code(client.reply(id)), -32800);
  EXPECT_EQ(client.unread("$/progress"), 0);
}

TEST_F(Seams, EndsACommandByItsProgressAndByItsRequest) {
  features.commands = {{"ambit.wait", wait_for_stop}};
  auto& client = started(kProgress);
  const int by_bar = client.request(kExecute, run("ambit.wait"));
  const auto begin = client.notification("$/progress");
  ASSERT_EQ(begin["params"]["value"]["kind"], "begin");
  client.notify("window/workDoneProgress/cancel", {{"token", begin["params"]["token"]}});
  EXPECT_EQ(error_code(client.reply(by_bar)), -32800);
  EXPECT_EQ(client.notification("$/progress")["params"]["value"]["kind"], "end");

  const int by_request = client.request(kExecute, run("ambit.wait"));
  const auto again = client.notification("$/progress");
  EXPECT_NE(again["params"]["token"], begin["params"]["token"]) << "a token is used once";
  client.notify("$/cancelRequest", {{"id", by_request}});
  EXPECT_EQ(error_code(client.reply(by_request)), -32800);
  EXPECT_EQ(client.replies_to(by_request), 1);
  client.notify("window/workDoneProgress/cancel", {{"token", "nobody's"}});
  client.notify("$/cancelRequest", {{"id", by_request}});
  EXPECT_EQ(error_code(client.call(kExecute, run("ambit.nobody"))), -32602) << "it goes on";
}

TEST_F(Seams, RefusesAnIdThatIsInUse) {
  features.commands = {{"ambit.wait", wait_for_stop}};
  auto& client = started({});
  const auto send = [&] {
    client.send_raw(lsp::frame(R"({"jsonrpc":"2.0","id":"x","method":"workspace/executeCommand",
                                   "params":{"command":"ambit.wait"}})"));
  };
  send();
  send();
  EXPECT_EQ(error_code(client.reply("x")), -32600);
  client.notify("$/cancelRequest", {{"id", "x"}});
  EXPECT_EQ(error_code(client.reply("x")), -32800) << "the first one kept its cancel";
}

TEST_F(Seams, StopsCommandsWhenTheEditorLeavesOrShutsDown) {
  features.commands = {{"ambit.wait", wait_for_stop}};
  auto& leaving = started({});
  leaving.request(kExecute, run("ambit.wait"));
  leaving.close_input();
  auto& closing = started({});
  const int id = closing.request(kExecute, run("ambit.wait"));
  EXPECT_TRUE(result(closing.call("shutdown", nullptr)).is_null());
  EXPECT_EQ(error_code(closing.reply(id)), -32800);
  // TearDown waits for the commands: it would hang on one that goes on.
}

TEST_F(Seams, AppliesAnEditThroughTheEditor) {
  const json edit = {{"changes", json::object()}};
  features.commands = {{"ambit.edit", [&](FeatureRun& run, const json&) -> Result<lsp::Json> {
                          auto applied = apply_edit(run, edit, "Tidy", true);
                          if (!applied) return applied.error();
                          return lsp::Json(json{applied->applied, applied->reason});
                        }}};
  auto& client = started(kEdits);
  client.on_request = [](const json& request) {
    return request["method"] == "workspace/applyEdit"
               ? json{{"result", {{"applied", false}, {"failureReason", "read only"}}}}
               : json("default");
  };
  EXPECT_EQ(result(client.call(kExecute, run("ambit.edit"))), json({false, "read only"}));
  EXPECT_EQ(client.server_request("workspace/applyEdit")["params"],
            json({{"label", "Tidy"}, {"edit", edit}}))
      << "metadata is only for clients that take it";
  auto& modest = started({});
  EXPECT_EQ(error_code(modest.call(kExecute, run("ambit.edit"))), -32803);
}

TEST_F(Seams, TakesBackAQuestionWhenTheCommandIsCancelled) {
  features.commands = {{"ambit.edit", [&](FeatureRun& run, const json&) -> Result<lsp::Json> {
                          auto applied = apply_edit(run, {{"changes", json::object()}}, "Tidy");
                          if (!applied) return applied.error();
                          return lsp::Json::boolean(applied->applied);
                        }}};
  auto& client = started(kEdits);
  client.on_request = [](const json& request) {
    return request["method"] == "workspace/applyEdit" ? json() : json("default");
  };
  const int id = client.request(kExecute, run("ambit.edit"));
  const auto question = client.server_request("workspace/applyEdit");
  ASSERT_TRUE(question.is_object());
  // Others are served while the editor's user thinks about the preview.
  EXPECT_EQ(error_code(client.call(kExecute, run("ambit.nobody"))), -32602);
  client.notify("$/cancelRequest", {{"id", id}});
  EXPECT_EQ(client.notification("$/cancelRequest")["params"]["id"], question["id"]);
  EXPECT_EQ(error_code(client.reply(id)), -32800);
  client.respond(question, {{"result", {{"applied", true}}}});  // too late: ignored
  EXPECT_EQ(error_code(client.call(kExecute, run("ambit.nobody"))), -32602);
}

TEST_F(Seams, AsksTheUserAndShowsDocuments) {
  features.commands = {{"ambit.choose",
                        [](FeatureRun& run, const json&) -> Result<lsp::Json> {
                          auto chosen = daemon::ask_user(run, 3, "Which?", {"this", "that"});
                          if (!chosen) return chosen.error();
                          return lsp::Json(*chosen ? json(**chosen) : json());
                        }},
                       {"ambit.show", [](FeatureRun& run, const json&) -> Result<lsp::Json> {
                          auto shown = daemon::show_document(run, "ambit-test:/a", false);
                          if (!shown) return shown.error();
                          return lsp::Json::boolean(*shown);
                        }}};
  auto& client = started({{"window", {{"showDocument", {{"support", true}}}}}});
  json answer = {{"title", "that"}};
  client.on_request = [&](const json& request) -> json {
    if (request["method"] == "window/showMessageRequest") return {{"result", answer}};
    if (request["method"] == "window/showDocument") return {{"result", {{"success", true}}}};
    return "default";
  };
  EXPECT_EQ(result(client.call(kExecute, run("ambit.choose"))), "that");
  EXPECT_EQ(client.server_request("window/showMessageRequest")["params"]["actions"],
            json::array({{{"title", "this"}}, {{"title", "that"}}}));
  answer = nullptr;  // dismissed
  EXPECT_TRUE(result(client.call(kExecute, run("ambit.choose"))).is_null());
  EXPECT_EQ(result(client.call(kExecute, run("ambit.show"))), true);
  EXPECT_EQ(client.server_request("window/showDocument")["params"],
            json({{"uri", "ambit-test:/a"}, {"takeFocus", false}}));
  EXPECT_EQ(result(started({}).call(kExecute, run("ambit.show"))), false);
}

TEST_F(Seams, AsksWithATimeLimit) {
  features.commands = {{"ambit.ask", [](FeatureRun& run, const json&) -> Result<lsp::Json> {
                          auto answer = run.session->ask_and_wait(
                              "workspace/configuration", {{"items", json::array()}},
                              std::chrono::milliseconds(20), run.stop);
                          return lsp::Json(answer ? "answered" : answer.error().message);
                        }}};
  auto& client = started({});
  client.on_request = [](const json&) { return json(); };
  EXPECT_EQ(result(client.call(kExecute, run("ambit.ask"))), "the editor did not answer in time");
}

TEST_F(Seams, LooksAtDocumentsFromAWorker) {
  features.commands = {{"ambit.count", [](FeatureRun& run, const json&) -> Result<lsp::Json> {
                          auto open = run.session->on_strand<std::size_t>(
                              [](daemon::Session& s) { return s.documents.all().size(); });
                          if (!open) return open.error();
                          return lsp::Json::integer(static_cast<std::int64_t>(*open));
                        }}};
  EXPECT_EQ(result(started({}).call(kExecute, run("ambit.count"))), json(1));
}

TEST_F(Seams, SendsPartsOfAResultWhereTheyAreWanted) {
  features.commands = {{"ambit.parts", [](FeatureRun& run, const json&) {
                          return lsp::Json::boolean(run.progress.partial({1, 2}));
                        }}};
  auto& client = started({});
  json params = run("ambit.parts");
  EXPECT_EQ(result(client.call(kExecute, params)), json(false));
  params["partialResultToken"] = 3;  // not in the specification for this method
  const int id = client.request_unchecked(kExecute, params);
  EXPECT_EQ(result(client.reply(id)), json(true));
  EXPECT_EQ(client.notification("$/progress")["params"], json({{"token", 3}, {"value", {1, 2}}}));
}

}  // namespace
}  // namespace ambit::testing
