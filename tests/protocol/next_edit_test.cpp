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

// The places that one resolved action changes: file name -> "line:column-column text".
std::map<std::string, std::vector<std::string>> changes_of(const nlohmann::json& resolved) {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& document : resolved["edit"]["documentChanges"]) {
    const auto of = document["textDocument"]["uri"].get<std::string>();
    for (const auto& edit : document["edits"]) {
      const auto &from = edit["range"]["start"], &to = edit["range"]["end"];
      out[of.substr(of.rfind('/') + 1)].push_back(
          from["line"].dump() + ":" + from["character"].dump() + "-" + to["character"].dump() +
          " " + edit["newText"].get<std::string>());
    }
  }
  return out;
}

using Places = std::map<std::string, std::vector<std::string>>;

TEST_F(NextEdit, AParameterThatWasAddedIsPassedWhereTheFunctionIsCalled) {
  auto& client = ready_editor();
  std::string text = kShop;
  text.replace(text.find("int n)"), 6, "int n, bool net)");
  client.change(uri("shop.cpp"), 2, text);
  const auto reply = client.call("textDocument/inlineCompletion",
                                 LspClient::inline_params(uri("shop.cpp"), 2, 21, 2));
  ASSERT_EQ(reply["result"]["items"].size(), 1U) << reply.dump();
  EXPECT_EQ(reply["result"]["items"][0]["insertText"],
            "int twice() { return price(1, false) + price(2, false); }");
  // In the header and in the other file too, all at once; and on their lines, when they are open.
  const auto asked = action_params(uri("shop.cpp"), 1);
  const auto actions = client.call("textDocument/codeAction", asked)["result"];
  ASSERT_EQ(actions.size(), 1U) << actions.dump();
  EXPECT_EQ(actions[0]["title"], "Ambit: pass net to price everywhere");
  EXPECT_EQ(actions[0]["kind"], "quickfix.ambit.signature");
  const auto resolved = client.call("codeAction/resolve", actions[0])["result"];
  EXPECT_EQ(changes_of(resolved), (Places{{"shop.cpp", {"2:28-28 , false", "2:39-39 , false"}},
                                          {"shop.h", {"1:15-15 , bool net"}},
                                          {"use.cpp", {"2:24-24 , false"}}}))
      << resolved.dump(1);
  client.open(uri("use.cpp"), "#include \"shop.h\"\n// the price\nint f() { return price(1); }\n");
  const auto there = client.call("textDocument/inlineCompletion",
                                 LspClient::inline_params(uri("use.cpp"), 2, 10, 2));
  ASSERT_EQ(there["result"]["items"].size(), 1U) << there.dump();
  EXPECT_EQ(there["result"]["items"][0]["insertText"], "int f() { return price(1, false); }");
  // What follows already is left alone.
  text.replace(text.find("price(1)"), 8, "price(1, true)");
  client.change(uri("shop.cpp"), 3, text);
  const auto half = client.call("codeAction/resolve", actions[0])["result"];
  EXPECT_EQ(changes_of(half)["shop.cpp"], std::vector<std::string>{"2:45-45 , false"});
}

TEST_F(NextEdit, AnArgumentGoesWithItsParameter) {
  const std::string shop =
      "def cost(count, price, tax=0):\n    return count * price + tax\n\n\n"
      "def both(count):\n    return cost(count, 3) + cost(count, price=4, tax=1)\n";
  write("till.py", shop);
  auto& client = ready_editor();
  client.open(uri("till.py"), shop);
  const auto resolve = [&](int version, const std::string& list, const std::string& title) {
    std::string text = shop;
    text.replace(text.find("count, price, tax=0"), 19, list);
    client.change(uri("till.py"), version, text);
    const auto actions =
        client.call("textDocument/codeAction", action_params(uri("till.py"), 0))["result"];
    EXPECT_EQ(actions.size(), title.empty() ? 0U : 1U) << actions.dump();
    if (actions.empty()) return std::vector<std::string>();
    EXPECT_EQ(actions[0]["title"], "Ambit: " + title);
    auto reply = client.call("codeAction/resolve", actions[0]);
    return reply.contains("error") ? std::vector<std::string>{"nothing"}
                                   : changes_of(reply["result"])["till.py"];
  };
  using Edits = std::vector<std::string>;
  EXPECT_EQ(resolve(2, "count, price", "take tax out of the calls of cost"), (Edits{"5:47-54 "}));
  EXPECT_EQ(resolve(3, "count, each, tax=0", "rename the argument price of cost to each"),
            (Edits{"5:40-45 each"}));
  EXPECT_EQ(resolve(4, "count, price, tax=0, note=None", "pass note to cost everywhere"),
            (Edits{"nothing"}))
      << "it has a default";
  EXPECT_EQ(resolve(5, "count, price, tax=0, *rest", ""), Edits{});
  EXPECT_EQ(resolve(6, "price, tax=0", "take count out of the calls of cost"), (Edits{"5:33-40 "}))
      << "a call that leaves something out fits either list";
}

}  // namespace
}  // namespace ambit::testing
