#include <fstream>
#include <set>
#include <thread>

#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

using json = nlohmann::json;

class Navigation : public Protocol {
 protected:
  // An editor that asked for it, in a project of two files.
  LspClient& editor_with_navigation() {
    std::ofstream(folder_ / "config/ambit/config.toml", std::ios::app)
        << "[features]\nnavigation = true\n";
    const auto project = folder_ / "project";
    std::ofstream(project / "calc.h") << "/* é */ int add(int a, int b);\n";
    std::ofstream(project / "calc.c")
        << "#include \"calc.h\"\nint add(int a, int b) { return a + b; }\n";
    auto& client = editor();
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

TEST_F(Navigation, IsOffUnlessAskedFor) {
  auto& client = editor();
  const auto reply = client.start("file://" + (folder_ / "project").string());
  EXPECT_FALSE(reply["result"]["capabilities"].contains("definitionProvider"));
}

}  // namespace
}  // namespace ambit::testing
