// The built-in code actions over the wire, with a scripted model.
#include <fstream>

#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

constexpr const char* kExecute = "workspace/executeCommand";
constexpr const char* kText =
    "int twice(int n) {\n  return n * 2;\n}\nint f(int a) {\n  return twice(a + 1);\n}\n";

class BuiltinActions : public Protocol {
 protected:
  LspClient& started(const std::string& script, bool disabled = true) {
    std::ofstream(folder_ / "script.json") << script;
    std::ofstream(folder_ / "project/a.cpp") << kText;
    auto& client = editor();
    client.capabilities = {
        {"workspace",
         {{"applyEdit", true},
          {"workspaceEdit", {{"documentChanges", true}, {"resourceOperations", {"create"}}}}}},
        {"textDocument",
         {{"codeAction",
           {{"codeActionLiteralSupport", {{"codeActionKind", {{"valueSet", json::array()}}}}},
            {"dataSupport", true},
            {"disabledSupport", disabled},
            {"isPreferredSupport", true},
            {"tagSupport", {{"valueSet", {1}}}},
            {"resolveSupport", {{"properties", {"edit"}}}}}}}}};
    client.start(uri(""));
    client.open(uri("a.cpp"), kText);
    return client;
  }
  json actions(LspClient& client, json range, int trigger,
               const json& diagnostics = json::array()) {
    const json reply =
        client.call("textDocument/codeAction",
                    {{"textDocument", {{"uri", uri("a.cpp")}}},
                     {"range", std::move(range)},
                     {"context", {{"diagnostics", diagnostics}, {"triggerKind", trigger}}}});
    return reply.value("result", reply);
  }
  // Explaining waits until the model is ready or cannot be.
  void settle(LspClient& client) {
    (void)client.call(
        kExecute,
        {{"command", "ambit.explain"},
         {"arguments", json::array({{{"uri", uri("a.cpp")}, {"range", range(0, 0, 0)}}})}});
  }
  static json range(int line, int from, int to) {
    return {{"start", {{"line", line}, {"character", from}}},
            {"end", {{"line", line}, {"character", to}}}};
  }
  static json titled(const json& list, const std::string& words) {
    for (const auto& one : list) {
      if (one["title"].get<std::string>().find(words) != std::string::npos) return one;
    }
    return nullptr;
  }
};

TEST_F(BuiltinActions, ExtractNeedsNoModelAndIsReadyAtOnce) {
  auto& client = started(R"({"state": "unavailable", "problem": "no model here"})");
  const auto list = actions(client, range(4, 15, 20), 2);
  ASSERT_EQ(list.size(), 1U) << list.dump(1);
  EXPECT_EQ(list[0]["kind"], "refactor.extract.variable");
  EXPECT_FALSE(list[0].contains("tags"));
  const auto done = client.call("codeAction/resolve", list[0])["result"];
  const auto& edits = done["edit"]["documentChanges"][0];
  EXPECT_EQ(edits["edits"].size(), 2U) << done.dump(1);
  EXPECT_EQ(edits["edits"][0]["newText"], "auto&& extracted = a + 1;\n  ");
  settle(client);
  client.change(uri("a.cpp"), 9, "int x;\n");
  EXPECT_EQ(error_code(client.call("codeAction/resolve", list[0])), -32602) << "another text now";
  const auto asked = actions(client, range(0, 0, 0), 1);
  EXPECT_EQ(titled(asked, "document")["disabled"]["reason"], "no model here") << asked.dump(1);
}

TEST_F(BuiltinActions, TheModelIsAskedOnlyWhenAnActionIsChosen) {
  auto& client = started(R"({"rules": [
    {"match": "Document the marked", "answer": "@@ new\n// Doubles.\nint twice(int n) {\n  return n * 2;\n}\n@@ end\n"},
    {"match": "unused", "answer": "@@ new\nint twice(int n) {\n  return n + n;\n}\n@@ end\n"},
    {"match": "Explain the marked", "answer": "It doubles."},
    {"match": "Rewrite the marked lines: shift", "answer": "@@ new\n  return n << 1;\n@@ end\n"}]})");
  settle(client);
  const json finding =
      json::array({{{"range", range(1, 2, 8)}, {"message", "unused"}, {"source", "other"}}});
  EXPECT_EQ(actions(client, range(1, 2, 8), 2, finding).size(), 0U);
  const auto list = actions(client, range(1, 4, 4), 1, finding);
  const auto document = titled(list, "document");
  EXPECT_EQ(document["kind"], "refactor.rewrite.ambit.document") << list.dump(1);
  EXPECT_EQ(document["tags"], json::array({1}));
  const auto documented = client.call("codeAction/resolve", document);
  ASSERT_TRUE(documented.contains("result")) << documented.dump(1);
  EXPECT_EQ(documented["result"]["edit"]["documentChanges"][0]["edits"][0]["newText"],
            "// Doubles.\nint twice(int n) {\n  return n * 2;\n}\n");
  const auto fix = titled(list, "fix");
  EXPECT_EQ(fix["diagnostics"], finding);
  EXPECT_FALSE(fix.contains("isPreferred"));
  const auto fixed = client.call("codeAction/resolve", fix);
  ASSERT_TRUE(fixed.contains("result")) << fixed.dump(1);
  EXPECT_NE(fixed.dump().find("return n + n;"), std::string::npos);
  const auto explain = titled(list, "explain");
  ASSERT_TRUE(explain.contains("command")) << list.dump(1);
  const auto said = client.call(kExecute, {{"command", explain["command"]["command"]},
                                           {"arguments", explain["command"]["arguments"]}});
  ASSERT_TRUE(said.contains("result")) << said.dump(1);
  EXPECT_EQ(said["result"]["text"], "It doubles.");
  const auto shown = client.call("workspace/textDocumentContent", {{"uri", said["result"]["uri"]}});
  EXPECT_EQ(shown["result"]["text"], "It doubles.") << shown.dump(1);
  client.on_request = [](const json& request) -> json {
    if (request["method"] != "workspace/applyEdit") return "default";
    return {{"result", {{"applied", true}}}};
  };
  const auto rewritten =
      client.call(kExecute, {{"command", "ambit.rewrite"},
                             {"arguments", json::array({{{"uri", uri("a.cpp")},
                                                         {"range", range(1, 0, 8)},
                                                         {"instruction", "shift"}}})}});
  ASSERT_TRUE(rewritten.contains("result")) << rewritten.dump(1);
  const auto applied = client.server_request("workspace/applyEdit")["params"];
  EXPECT_EQ(applied["edit"]["documentChanges"][0]["edits"][0]["newText"], "  return n << 1;\n");
}

TEST_F(BuiltinActions, PlansWithTheModelAndCancels) {
  auto& client = started(R"({"rules": [
    {"match": "make twice", "answer": "step: shift\nedit: a.cpp\n@@ old\n  return n * 2;\n@@ new\n  return n << 1;\n@@ end\n"},
    {"match": "hang on twice", "fault": "hang"}]})");
  const auto ask = [&](const std::string& words) {
    return client.request(
        kExecute, {{"command", "ambit.refactor"},
                   {"arguments", json::array({{{"instruction", words}, {"uri", uri("a.cpp")}}})}});
  };
  const auto plan = client.reply(ask("make twice shift"));
  ASSERT_TRUE(plan.contains("result")) << plan.dump(1);
  EXPECT_EQ(plan["result"]["steps"][0]["by"], "model");
  const auto slow = ask("hang on twice please");
  client.notify("$/cancelRequest", {{"id", slow}});
  EXPECT_EQ(error_code(client.reply(slow)), -32800);
}

}  // namespace
}  // namespace ambit::testing
