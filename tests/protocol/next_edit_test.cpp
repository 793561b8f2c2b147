// A function is renamed by hand: what is left to do is offered where it stands, and all at once.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

using ::testing::ElementsAre;

class NextEdit : public Protocol {
 protected:
  static constexpr const char* kShop =
      "#include \"shop.h\"\nint price(int n) { return n; }\nint twice() { return price(1) + "
      "price(2); "
      "}\nint prices = 3;\n";

  void SetUp() override {
    Protocol::SetUp();
    write("shop.h", "#pragma once\nint price(int n);\n");
    write("shop.cpp", kShop);
    write("use.cpp", "#include \"shop.h\"\n// the price\nint f() { return price(1); }\n");
    write("other.py", "def price(n):\n    return n\n\n\nprice(2)\n");
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / "project" / name, std::ios::binary) << text;
  }
  LspClient& ready_editor() {
    auto& client = editor();
    client.capabilities.merge_patch(
        {{"workspace", {{"workspaceEdit", {{"documentChanges", true}}}}},
         {"textDocument",
          {{"codeAction",
            {{"codeActionLiteralSupport", {{"codeActionKind", {{"valueSet", {"quickfix"}}}}}},
             {"dataSupport", true},
             {"resolveSupport", {{"properties", {"edit"}}}}}}}}});
    client.start(uri(""));
    client.open(uri("shop.cpp"), kShop);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < until) {
      const auto status =
          client.call("workspace/executeCommand", {{"command", "ambit.status"}})["result"];
      if (!status["workspaces"].empty() && status["workspaces"][0]["state"] == "ready") break;
    }
    return client;
  }
  static json action_params(const std::string& of, int line) {
    const json place = {{"line", line}, {"character", 5}};
    return {
        {"textDocument", {{"uri", of}}},
        {"range", {{"start", place}, {"end", place}}},
        {"context", {{"diagnostics", json::array()}, {"triggerKind", 1}, {"only", {"quickfix"}}}}};
  }
  static std::string renamed() {
    std::string text = kShop;
    return text.replace(text.find("price(int"), 5, "cost");
  }
};

TEST_F(NextEdit, IsOfferedAsGhostTextOnTheLineThatSaysTheOldName) {
  auto& client = ready_editor();
  const auto at = LspClient::inline_params(uri("shop.cpp"), 2, 21, 2);
  client.change(uri("shop.cpp"), 2, renamed());
  const auto reply = client.call("textDocument/inlineCompletion", at);
  ASSERT_EQ(reply["result"]["items"].size(), 1U) << reply.dump();
  const auto& item = reply["result"]["items"][0];
  EXPECT_EQ(item["insertText"], "int twice() { return cost(1) + cost(2); }");
  EXPECT_EQ(item["range"]["start"]["character"], 0);
  EXPECT_EQ(item["range"]["end"]["character"], 43);
  // Another word that begins alike, and a line behind the old name, are left alone.
  for (const auto& [line, character] : {std::pair{3, 0}, std::pair{2, 42}}) {
    const auto none = client.call("textDocument/inlineCompletion",
                                  LspClient::inline_params(uri("shop.cpp"), line, character, 2));
    EXPECT_THAT(none["result"].is_null() ? std::vector<std::string>() : texts(none),
                ::testing::Not(::testing::Contains(::testing::HasSubstr("cost"))));
  }
}

TEST_F(NextEdit, IsOneActionForAllPlacesThatMeanTheSame) {
  auto& client = ready_editor();
  const auto asked = action_params(uri("shop.cpp"), 1);
  EXPECT_EQ(client.call("textDocument/codeAction", asked)["result"], json::array());
  client.change(uri("shop.cpp"), 2, renamed());
  const auto actions = client.call("textDocument/codeAction", asked)["result"];
  ASSERT_EQ(actions.size(), 1U) << actions.dump();
  EXPECT_EQ(actions[0]["title"], "Ambit: rename the other uses of price to cost");
  const auto resolved = client.call("codeAction/resolve", actions[0])["result"];
  std::map<std::string, std::size_t> edits;
  for (const auto& document : resolved["edit"]["documentChanges"]) {
    const auto of = document["textDocument"]["uri"].get<std::string>();
    for (const auto& edit : document["edits"]) EXPECT_EQ(edit["newText"], "cost");
    edits[of.substr(of.rfind('/') + 1)] = document["edits"].size();
    EXPECT_EQ(document["textDocument"]["version"].is_null(), !of.ends_with("shop.cpp"));
  }
  const std::map<std::string, std::size_t> want{{"shop.cpp", 2}, {"shop.h", 1}, {"use.cpp", 1}};
  EXPECT_EQ(edits, want) << resolved.dump(1);
  // The rename is taken back: there is nothing to do, also for an action that was offered before.
  client.change(uri("shop.cpp"), 3, kShop);
  EXPECT_EQ(client.call("textDocument/codeAction", asked)["result"], json::array());
  EXPECT_TRUE(client.call("codeAction/resolve", actions[0]).contains("error"));
}

}  // namespace
}  // namespace ambit::testing
