#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

using json = nlohmann::json;

class Navigation : public Protocol {
 protected:
  // An editor that asked for it, in a project of two files.
  LspClient& editor_with_navigation(const json& capabilities = nullptr) {
    if (answer_.is_null()) {
      std::ofstream(folder_ / "config/ambit/config.toml", std::ios::app)
          << "[features]\nnavigation = true\n";
    }
    const auto project = folder_ / "project";
    std::ofstream(project / "calc.h") << "/* é */ int add(int a, int b);\n";
    std::ofstream(project / "calc.c")
        << "#include \"calc.h\"\nint add(int a, int b) { return a + b; }\n";
    auto& client = editor();
    if (!capabilities.is_null()) client.capabilities = capabilities;
    answer_ = client.start("file://" + project.string());
    return client;
  }
  json at(const std::string& name, int line, int character) const {
    return {{"textDocument", {{"uri", uri(name)}}},
            {"position", {{"line", line}, {"character", character}}}};
  }
  // Asks until the index has the answer.
  json eventually(LspClient& client, const std::string& method, const json& params) {
    for (int i = 0; i < 200; ++i) {
      auto reply = client.call(method, params);
      if (reply.contains("result") && reply["result"].is_array() && !reply["result"].empty())
        return reply["result"];
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return nullptr;
  }
  json answer_;
};

TEST_F(Navigation, AnswersFromTheIndexAndUnsavedText) {
  auto& client = editor_with_navigation();
  EXPECT_EQ(answer_["result"]["capabilities"]["definitionProvider"], true);
  client.open(uri("main.c"), "#include \"calc.h\"\nint twice(int v) { return add(v, v); }\n");
  const auto found = eventually(client, "textDocument/definition", at("main.c", 1, 27));
  ASSERT_TRUE(found.is_array()) << found;
  EXPECT_EQ(found[0]["uri"], uri("calc.c"));
  EXPECT_EQ(found[0]["range"]["start"], json({{"line", 1}, {"character", 4}}));

  auto params = at("calc.h", 0, 13);
  params["context"] = {{"includeDeclaration", true}};
  const auto uses = eventually(client, "textDocument/references", params);
  std::set<std::string> places;
  for (const auto& use : uses)
    places.insert(use["uri"].get<std::string>() + use["range"]["start"].dump());
  EXPECT_TRUE(places.contains(uri("main.c") + R"({"character":26,"line":1})")) << uses;
  EXPECT_TRUE(places.contains(uri("calc.h") + R"({"character":12,"line":0})")) << uses;
  EXPECT_TRUE(places.contains(uri("calc.c") + R"({"character":4,"line":1})")) << uses;

  const auto here = eventually(client, "textDocument/documentSymbol",
                               {{"textDocument", {{"uri", uri("main.c")}}}});
  ASSERT_TRUE(here.is_array());
  EXPECT_EQ(here[0]["name"], "twice");
  EXPECT_EQ(here[0]["kind"], 12);
  const auto all = eventually(client, "workspace/symbol", {{"query", "twi"}});
  ASSERT_TRUE(all.is_array());
  EXPECT_EQ(all[0]["name"], "twice");
}

TEST_F(Navigation, ShowsTheSymbolsOfADocumentInsideOneAnother) {
  auto& client = editor_with_navigation(
      {{"textDocument", {{"documentSymbol", {{"hierarchicalDocumentSymbolSupport", true}}}}}});
  client.open(uri("tree.h"), "struct outer {\n  int a;\n  struct { int b; } in;\n};\nint last;\n");
  const auto found = eventually(client, "textDocument/documentSymbol",
                                {{"textDocument", {{"uri", uri("tree.h")}}}});
  ASSERT_TRUE(found.is_array());
  ASSERT_EQ(found.size(), 2U) << found;
  EXPECT_EQ(found[0]["name"], "outer");
  EXPECT_EQ(found[0]["selectionRange"]["start"], json({{"line", 0}, {"character", 7}}));
  EXPECT_EQ(found[0]["children"][0]["name"], "a");
  EXPECT_EQ(found[1]["name"], "last");
  EXPECT_FALSE(found[1].contains("children"));
}

TEST_F(Navigation, RenamesEverySurePlaceWithTheEditorsVersions) {
  auto& client =
      editor_with_navigation({{"workspace", {{"workspaceEdit", {{"documentChanges", true}}}}}});
  EXPECT_EQ(answer_["result"]["capabilities"]["renameProvider"], true)
      << "an editor that does not say prepareSupport must not be told of it";
  client.open(uri("main.c"), "#include \"calc.h\"\nint t(int v) { return add(v, v); } // add\n");
  const auto prepared = client.call("textDocument/prepareRename", at("main.c", 1, 24));
  ASSERT_TRUE(prepared.contains("result")) << prepared;
  EXPECT_EQ(prepared["result"]["placeholder"], "add");
  EXPECT_EQ(prepared["result"]["range"]["start"], json({{"line", 1}, {"character", 22}}));
  EXPECT_TRUE(client.call("textDocument/prepareRename", at("main.c", 1, 13))["result"].is_null());
  EXPECT_EQ(client.call("textDocument/prepareRename", at("main.c", 1, 10))["result"]["placeholder"],
            "v");
  EXPECT_TRUE(client.call("textDocument/prepareRename", at("main.c", 1, 17))["result"].is_null())
      << "a keyword";

  auto params = at("main.c", 1, 24);
  params["newName"] = "sum";
  const auto renamed = client.call("textDocument/rename", params);
  ASSERT_TRUE(renamed.contains("result")) << renamed;
  std::map<std::string, json> edits;
  for (const auto& d : renamed["result"]["documentChanges"])
    edits[d["textDocument"]["uri"].get<std::string>()] = d;
  ASSERT_EQ(edits.size(), 3U) << renamed.dump(1);
  const auto& open = edits[uri("main.c")];
  EXPECT_EQ(open["textDocument"]["version"], 1);
  ASSERT_EQ(open["edits"].size(), 1U) << "not the comment";
  EXPECT_EQ(open["edits"][0]["newText"], "sum");
  EXPECT_EQ(open["edits"][0]["range"]["start"], json({{"line", 1}, {"character", 22}}));
  EXPECT_TRUE(edits[uri("calc.h")]["textDocument"]["version"].is_null());
  EXPECT_EQ(edits[uri("calc.h")]["edits"][0]["range"]["start"],
            json({{"line", 0}, {"character", 12}}))
      << "in UTF-16";
  std::ifstream disk(folder_ / "project/calc.c");
  EXPECT_NE(std::string(std::istreambuf_iterator<char>(disk), {}).find("int add("),
            std::string::npos)
      << "the editor changes files, not the daemon";

  params["newName"] = "while";
  EXPECT_EQ(error_code(client.call("textDocument/rename", params)), -32602);
}

TEST_F(Navigation, RenamesUnsurePlacesOnlyWhereTheEditorAsksFirst) {
  std::ofstream(folder_ / "project/shop.py")
      << "class Cart:\n    def total_sum(self):\n        return 1\n\n\n"
         "class Till:\n    def total_sum(self):\n        return 2\n\n\n"
         "def show(x):\n    return x.total_sum()\n\n\ndef own():\n    return Cart().total_sum()\n";
  for (const bool asks : {false, true}) {
    auto& client = editor_with_navigation(
        asks ? json{{"workspace",
                     {{"workspaceEdit",
                       {{"documentChanges", true}, {"changeAnnotationSupport", json::object()}}}}},
                    {"textDocument", {{"rename", {{"prepareSupport", true}}}}}}
             : json());
    EXPECT_EQ(answer_["result"]["capabilities"]["renameProvider"].is_object(), asks);
    auto params = at("shop.py", 1, 10);
    params["newName"] = "whole";
    const auto renamed = client.call("textDocument/rename", params);
    ASSERT_TRUE(renamed.contains("result")) << renamed;
    const auto& edit = renamed["result"];
    const auto& list = asks ? edit["documentChanges"][0]["edits"] : edit["changes"][uri("shop.py")];
    std::set<int> sure, unsure;
    for (const auto& one : list)
      (one.contains("annotationId") ? unsure : sure)
          .insert(one["range"]["start"]["line"].get<int>());
    EXPECT_TRUE(sure.contains(1)) << edit.dump(1);
    EXPECT_FALSE(sure.contains(6)) << "another class";
    EXPECT_FALSE(sure.contains(11)) << "an object of unknown type";
    EXPECT_EQ(unsure.contains(11), asks) << edit.dump(1);
    EXPECT_EQ(edit.contains("changeAnnotations"), asks);
  }
}

TEST_F(Navigation, IsOffUnlessAskedFor) {
  auto& client = editor();
  const auto reply = client.start("file://" + (folder_ / "project").string());
  EXPECT_FALSE(reply["result"]["capabilities"].contains("definitionProvider"));
}

}  // namespace
}  // namespace ambit::testing
