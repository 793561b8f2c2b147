// Code actions as each kind of client can take them, and documents of ours.
#include <gmock/gmock.h>

#include "tests/protocol/seams.h"

namespace ambit::testing {
namespace {

using daemon::ActionContext;
using daemon::FeatureRun;
using daemon::OfferedAction;
using daemon::Session;
using json = nlohmann::json;

constexpr const char* kAction = "textDocument/codeAction";
constexpr const char* kResolve = "codeAction/resolve";
constexpr const char* kExecute = "workspace/executeCommand";

json literals(json more = json::object()) {
  more["codeActionLiteralSupport"] = {{"codeActionKind", {{"valueSet", json::array()}}}};
  return {{"textDocument", {{"codeAction", more}}}, {"workspace", {{"applyEdit", true}}}};
}
const json kResolves = {{"dataSupport", true}, {"resolveSupport", {{"properties", {"edit"}}}}};

class Actions : public Seams {
 protected:
  void SetUp() override {
    Seams::SetUp();
    const auto resolve = [this](FeatureRun&, const json& data) -> Result<lsp::Json> {
      ++resolved_;
      if (data == "fail") return make_error(Code::kUnavailable, "no model");
      json edits = json::array({{{"range", range(0, 3)}, {"newText", data}}});
      return lsp::Json(json{{"changes", {{uri(), std::move(edits)}}}});
    };
    features.actions = {
        {"rewrite", "refactor.rewrite.ambit", false,
         [](Session&, const ActionContext& asked) -> std::vector<OfferedAction> {
           const auto word = asked.document.text->substr(asked.begin, asked.end - asked.begin);
           return {{"Rewrite " + word, "refactor.rewrite.ambit.word", word},
                   {"Not now", "refactor.rewrite.ambit.word", word, nullptr, false, true,
                    "the model is asleep"}};
         },
         resolve},
        {"fix", "quickfix.ambit", true,
         [](Session&, const ActionContext& asked) -> std::vector<OfferedAction> {
           if (asked.diagnostics.empty()) return {};
           return {{"Fix it", "quickfix.ambit", "fixed", asked.diagnostics, true, false}};
         },
         resolve}};
  }
  static json range(int from, int to) {
    return {{"start", {{"line", 0}, {"character", from}}},
            {"end", {{"line", 0}, {"character", to}}}};
  }
  json params(int from, int to, int trigger, const json& only = nullptr,
              const json& diagnostics = json::array()) {
    json context = {{"diagnostics", diagnostics}, {"triggerKind", trigger}};
    if (!only.is_null()) context["only"] = only;
    return {{"textDocument", {{"uri", uri()}}}, {"range", range(from, to)}, {"context", context}};
  }
  json finding() { return json::array({{{"range", range(0, 3)}, {"message", "m"}}}); }

  std::atomic<int> resolved_{0};
};

TEST_F(Actions, CarryDataAndGetTheirEditWhenChosen) {
  auto& client = started(literals(kResolves));
  EXPECT_EQ(hello_["result"]["capabilities"]["codeActionProvider"]["resolveProvider"], true);
  const json list = result(client.call(kAction, params(4, 7, 1)));
  ASSERT_EQ(list.size(), 1U) << "disabled ones are only for clients that show them: " << list;
  EXPECT_EQ(list[0]["title"], "Rewrite one");
  EXPECT_FALSE(list[0].contains("edit"));
  EXPECT_FALSE(list[0].contains("tags"));
  EXPECT_EQ(resolved_, 0);
  const json resolved = result(client.call(kResolve, list[0]));
  EXPECT_EQ(resolved["edit"]["changes"][uri()][0]["newText"], "one");
  json failing = list[0];
  failing["data"]["data"] = "fail";
  const json failed = client.call(kResolve, failing);
  EXPECT_EQ(error_code(failed), -32803);
  failing["data"] = {{"provider", "nobody"}};
  EXPECT_EQ(error_code(client.call(kResolve, failing)), -32602);
}

TEST_F(Actions, SayWhatTheClientShows) {
  json more = kResolves;
  more["isPreferredSupport"] = more["disabledSupport"] = true;
  more["tagSupport"] = {{"valueSet", {1}}};
  auto& client = started(literals(more));
  const json list = result(client.call(kAction, params(4, 7, 1, nullptr, finding())));
  ASSERT_EQ(list.size(), 3U) << list;
  EXPECT_EQ(list[0]["tags"], json::array({1}));
  EXPECT_EQ(list[1]["disabled"]["reason"], "the model is asleep");
  EXPECT_FALSE(list[1].contains("data"));
  EXPECT_EQ(list[2]["isPreferred"], true);
  EXPECT_EQ(list[2]["diagnostics"], finding());
  EXPECT_FALSE(list[2].contains("tags"));
}

TEST_F(Actions, NeverWakeTheModelOnTheirOwn) {
  auto& client = started(literals(kResolves));
  EXPECT_EQ(result(client.call(kAction, params(4, 4, 2))), json::array());
  EXPECT_EQ(result(client.call(kAction, params(4, 7, 2))), json::array());
  const json fixes = result(client.call(kAction, params(4, 4, 2, nullptr, finding())));
  ASSERT_EQ(fixes.size(), 1U);
  EXPECT_EQ(fixes[0]["title"], "Fix it");
  EXPECT_EQ(resolved_, 0);
}

TEST_F(Actions, AreFilteredByKind) {
  auto& client = started(literals(kResolves));
  const auto count = [&](const json& only) {
    return result(client.call(kAction, params(4, 7, 1, only, finding()))).size();
  };
  EXPECT_EQ(count({"refactor"}), 1U);
  EXPECT_EQ(count({"refactor.rewrite"}), 1U);
  EXPECT_EQ(count({"refactor.rewrite.ambit.word"}), 1U);
  EXPECT_EQ(count({"refactor.rewrite.ambit.other"}), 0U);
  EXPECT_EQ(count({"refactored"}), 0U);
  EXPECT_EQ(count({"quickfix", "source"}), 1U);
  EXPECT_EQ(count({"source.fixAll"}), 0U);
  EXPECT_EQ(count({""}), 2U);
}

TEST_F(Actions, AreCommandsForClientsThatCannotResolve) {
  auto& client = started(literals());
  const json list = result(client.call(kAction, params(4, 7, 1)));
  ASSERT_EQ(list.size(), 1U);
  const json command = list[0]["command"];
  ASSERT_TRUE(command.is_object()) << list;
  client.on_request = [](const json& request) {
    return request["method"] == "workspace/applyEdit" ? json{{"result", {{"applied", true}}}}
                                                      : json("default");
  };
  const json call = {{"command", command["command"]}, {"arguments", command["arguments"]}};
  EXPECT_TRUE(result(client.call(kExecute, call)).is_null());
  const json applied = client.server_request("workspace/applyEdit")["params"];
  EXPECT_EQ(applied["label"], "Rewrite one");
  EXPECT_EQ(applied["edit"]["changes"][uri()][0]["newText"], "one");
}

TEST_F(Actions, AreBareCommandsForClientsWithoutLiterals) {
  auto& client = started({{"textDocument", {{"codeAction", json::object()}}}});
  const json list = result(client.call(kAction, params(4, 7, 1)));
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["command"], "ambit.codeAction");
  EXPECT_FALSE(list[0].contains("kind"));
}

TEST_F(Actions, DoNotFailOnDocumentsThatAreNotOpen) {
  auto& client = started(literals());
  json asked = params(0, 0, 1);
  asked["textDocument"]["uri"] = "file:///never.cpp";
  EXPECT_EQ(result(client.call(kAction, asked)), json::array());
}

TEST_F(Seams, ShowsDocumentsOfItsOwn) {
  features.contents = {
      {"ambit-test", [](FeatureRun&, const std::string& of) -> Result<std::string> {
         if (of.ends_with("none")) {
           return make_error(Code::kInvalidArgument, "there is no document");
         }
         return "text of " + of;
       }}};
  features.commands = {{"ambit.refresh", [](FeatureRun& run, const json&) {
                          daemon::refresh_content(run.session, "ambit-test:/a");
                          return lsp::Json();
                        }}};
  constexpr const char* kContent = "workspace/textDocumentContent";
  auto& client =
      started({{"workspace", {{"textDocumentContent", {{"dynamicRegistration", true}}}}}});
  const json registered = client.server_request("client/registerCapability");
  EXPECT_EQ(registered["params"]["registrations"][0]["method"], kContent);
  EXPECT_EQ(registered["params"]["registrations"][0]["registerOptions"],
            json({{"schemes", {"ambit-test"}}}));
  EXPECT_FALSE(hello_["result"]["capabilities"]["workspace"].contains("textDocumentContent"));
  EXPECT_EQ(result(client.call(kContent, {{"uri", "ambit-test:/a"}})),
            json({{"text", "text of ambit-test:/a"}}));
  EXPECT_EQ(error_code(client.call(kContent, {{"uri", "ambit-test:/none"}})), -32602);
  EXPECT_EQ(error_code(client.call(kContent, {{"uri", "ambit-other:/a"}})), -32602);
  (void)client.call(kExecute, run("ambit.refresh"));
  EXPECT_EQ(client.server_request("workspace/textDocumentContent/refresh")["params"]["uri"],
            "ambit-test:/a");
  auto& fixed = started({{"workspace", {{"textDocumentContent", json::object()}}}});
  EXPECT_EQ(hello_["result"]["capabilities"]["workspace"]["textDocumentContent"]["schemes"],
            json::array({"ambit-test"}));
  EXPECT_EQ(fixed.unread("client/registerCapability"), 0);
}

}  // namespace
}  // namespace ambit::testing
