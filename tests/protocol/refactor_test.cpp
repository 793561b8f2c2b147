// A refactor as an editor sees it: plan, preview, apply over an open and a closed file, undo.
#include <fstream>

#include "lsp/uri.h"
#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

constexpr const char* kExecute = "workspace/executeCommand";

class Refactor : public Protocol {
 protected:
  void SetUp() override {
    Protocol::SetUp();
    write("shop.h", "#pragma once\nint price(int n);\n");
    write("shop.cpp", "#include \"shop.h\"\nint price(int n) { return n; }\n");
    write("use.cpp", "#include \"shop.h\"\n// é price\nint f() { return price(1) + price(2); }\n");
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(root() / name, std::ios::binary) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(root() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] std::filesystem::path root() const {
    return std::filesystem::path(*lsp::path_from_uri(uri("x"))).parent_path();
  }
  LspClient& client_with_edits() {
    auto& client = editor();
    client.capabilities = {
        {"workspace", {{"applyEdit", true}, {"workspaceEdit", {{"documentChanges", true}}}}}};
    client.start(uri(""));
    return client;
  }
  json run(LspClient& client, const std::string& command, const json& argument) {
    return client.call(kExecute, {{"command", command}, {"arguments", json::array({argument})}});
  }
};

TEST_F(Refactor, PlansShowsAppliesAndTakesBack) {
  auto& client = client_with_edits();
  std::string buffer = read("use.cpp") + "int unsaved() { return price(3); }\n";
  client.open(uri("use.cpp"), buffer);
  json asked;
  client.on_request = [&](const json& request) -> json {
    if (request["method"] != "workspace/applyEdit") return "default";
    asked = request["params"];
    return {{"result", {{"applied", true}}}};
  };
  const auto plan = run(client, "ambit.refactor",
                        {{"instruction", "rename price to cost"}, {"uri", uri("use.cpp")}});
  ASSERT_TRUE(plan.contains("result")) << plan.dump();
  EXPECT_EQ(plan["result"]["files"], 3) << plan.dump(1);
  EXPECT_EQ(plan["result"]["steps"][0]["by"], "index");
  EXPECT_EQ(plan["result"]["steps"][0]["inComments"], 1);
  const auto id = plan["result"]["id"].get<std::string>();
  const auto preview = run(client, "ambit.refactor.preview", {{"id", id}});
  EXPECT_NE(preview["result"]["diff"].get<std::string>().find("+int unsaved() { return cost(3); }"),
            std::string::npos)
      << preview.dump(1);
  const auto document =
      client.call("workspace/textDocumentContent", {{"uri", "ambit-preview:/" + id + ".diff"}});
  EXPECT_EQ(document["result"]["text"], preview["result"]["diff"]) << document.dump(1);
  EXPECT_EQ(read("shop.h"), "#pragma once\nint price(int n);\n");
  const auto applied = run(client, "ambit.refactor.apply", {{"id", id}});
  ASSERT_TRUE(applied.contains("result")) << applied.dump(1);
  EXPECT_EQ(applied["result"]["inEditor"], 1);
  EXPECT_EQ(read("shop.h"), "#pragma once\nint cost(int n);\n");
  EXPECT_NE(read("use.cpp").find("price(1)"), std::string::npos) << "the buffer is the editor's";
  const json change = asked["edit"]["documentChanges"][0];
  EXPECT_EQ(change["textDocument"]["uri"], uri("use.cpp"));
  EXPECT_TRUE(change["textDocument"]["version"].is_number());
  ASSERT_EQ(change["edits"].size(), 1U) << change.dump(1);
  EXPECT_EQ(change["edits"][0]["range"]["start"]["line"], 2);
  for (auto at = buffer.find("price("); at != std::string::npos; at = buffer.find("price(")) {
    buffer.replace(at, 5, "cost");
  }
  client.change(uri("use.cpp"), 5, buffer + "// mine\n");
  const auto undone = run(client, "ambit.refactor.undo", {{"uri", uri("use.cpp")}});
  ASSERT_TRUE(undone.contains("result")) << undone.dump(1);
  EXPECT_EQ(undone["result"]["conflicts"], json::array());
  EXPECT_EQ(read("shop.h"), "#pragma once\nint price(int n);\n");
  EXPECT_EQ(asked["edit"]["documentChanges"][0]["textDocument"]["version"], 5);
}

TEST_F(Refactor, ARefusalOfTheEditorLeavesTheDiskAsItWas) {
  auto& client = client_with_edits();
  client.open(uri("use.cpp"), read("use.cpp"));
  client.on_request = [&](const json& request) -> json {
    if (request["method"] != "workspace/applyEdit") return "default";
    return {{"result", {{"applied", false}, {"failureReason", "too late"}}}};
  };
  const auto plan = run(client, "ambit.refactor",
                        {{"instruction", "rename price to cost"}, {"uri", uri("use.cpp")}});
  const auto applied = run(client, "ambit.refactor.apply", {{"id", plan["result"]["id"]}});
  EXPECT_EQ(error_code(applied), -32803);
  EXPECT_NE(applied["error"]["message"].get<std::string>().find("too late"), std::string::npos);
  EXPECT_EQ(read("shop.h"), "#pragma once\nint price(int n);\n");
}

TEST_F(Refactor, ImportsFollowAFileThatTheEditorMoves) {
  auto& client = editor();
  client.capabilities = {{"workspace",
                          {{"fileOperations", {{"willRename", true}}},
                           {"workspaceEdit", {{"documentChanges", true}}}}}};
  const auto hello = client.start(uri(""));
  EXPECT_TRUE(
      hello["result"]["capabilities"]["workspace"]["fileOperations"].contains("willRename"));
  client.open(uri("use.cpp"), "#include \"shop.h\"\nint g();\n");
  const auto moved = client.call(
      "workspace/willRenameFiles",
      {{"files", json::array({{{"oldUri", uri("shop.h")}, {"newUri", uri("inc/store.h")}}})}});
  ASSERT_TRUE(moved.contains("result")) << moved.dump(1);
  const auto& changes = moved["result"]["documentChanges"];
  ASSERT_EQ(changes.size(), 2U) << moved.dump(1);
  EXPECT_EQ(changes[0]["textDocument"]["uri"], uri("shop.cpp"));
  EXPECT_TRUE(changes[0]["textDocument"]["version"].is_null());
  EXPECT_EQ(changes[0]["edits"][0]["newText"], "\"inc/store.h\"");
  EXPECT_TRUE(changes[1]["textDocument"]["version"].is_number());
  EXPECT_EQ(changes[1]["edits"][0]["range"]["start"]["character"], 9);
  const auto nothing =
      client.call("workspace/willRenameFiles",
                  {{"files", json::array({{{"oldUri", uri("none.h")}, {"newUri", uri("b.h")}}})}});
  EXPECT_TRUE(nothing["result"].is_null()) << nothing.dump(1);
}

TEST_F(Refactor, SaysWhatItCannotDo) {
  auto& client = client_with_edits();
  client.open(uri("use.cpp"), read("use.cpp"));
  const auto asks = [&](const std::string& instruction) {
    return run(client, "ambit.refactor", {{"instruction", instruction}, {"uri", uri("use.cpp")}});
  };
  const auto model = asks("make everything faster, please");
  EXPECT_EQ(error_code(model), -32602) << "the scripted model answers nothing";
  EXPECT_NE(model["error"]["message"].get<std::string>().find("nothing that the model proposed"),
            std::string::npos);
  EXPECT_EQ(error_code(asks("rename price to while")), -32602);
  EXPECT_EQ(error_code(run(client, "ambit.refactor.apply", {{"id", "../../x"}})), -32803);
  EXPECT_EQ(error_code(run(client, "ambit.refactor", json::object())), -32602);
}

}  // namespace
}  // namespace ambit::testing
