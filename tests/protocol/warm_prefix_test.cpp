// A repository that the model reads before anybody types.
#include <gmock/gmock.h>

#include "tests/protocol/warm_prefix.h"

namespace ambit::testing {
namespace {

using ::testing::ElementsAre;
using json = nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kInline = "textDocument/inlineCompletion";

TEST_F(WarmPrefix, IsReadInTheBackgroundUsedByKeystrokesAndTheSameAfterARestart) {
  auto& client = editor();
  client.capabilities["window"] = {{"workDoneProgress", true}};
  client.start("file://" + (folder_ / "project").string());
  client.open(uri("src/file3.cpp"), "int total = \n");
  wait_until_warm(client);
  EXPECT_THAT(texts(client.call(kInline, LspClient::inline_params(uri("src/file3.cpp"), 0, 12))),
              ElementsAre("int total = price();"));
  const auto first = requests();
  std::string read;
  std::size_t pieces = 0;
  for (const auto& r : first) {
    if (r["priority"] == "background" && r["max_new_tokens"] == 0) read = r["prompt"], ++pieces;
  }
  EXPECT_GT(pieces, 1U) << "one piece: a crash would cost all of it";
  const auto keystroke = std::find_if(first.begin(), first.end(),
                                      [](const auto& r) { return r["priority"] == "keystroke"; });
  ASSERT_NE(keystroke, first.end());
  EXPECT_TRUE((*keystroke)["prompt"].get<std::string>().starts_with(read));
  EXPECT_GT(read.size(), 10000U);
  EXPECT_GT(client.unread("$/progress"), 0) << "nobody was told";

  client.notify("exit", nullptr);
  client.wait_exit();
  LspClient({AMBIT_BINARY_DIR "/ambit", "stop"}, environment(), nullptr).wait_exit();
  fs::remove(folder_ / "requests.jsonl");
  auto& again = started_editor();
  // Another file is looked at, and a file has changed: what the model has on disk stays good.
  write("src/file9.cpp", "int brand_new_price(int count);\n");
  again.open(uri("src/file7.cpp"), "int total = \n");
  wait_until_warm(again);
  std::string read_again;
  for (const auto& r : requests()) {
    if (r["priority"] == "background" && r["max_new_tokens"] == 0) read_again = r["prompt"];
  }
  EXPECT_EQ(read_again, read);
}

TEST_F(WarmPrefix, ThePromptIsReadWhileTheTypingPauses) {
  std::ofstream(folder_ / "config/ambit/config.toml", std::ios::app)
      << "completion.debounce_min_ms = 500\ncompletion.debounce_max_ms = 500\n";
  auto& client = started_editor();
  client.open(uri("src/file3.cpp"), "int total = \n");
  wait_until_warm(client);
  EXPECT_THAT(texts(client.call(kInline, LspClient::inline_params(uri("src/file3.cpp"), 0, 12, 2))),
              ElementsAre("int total = price();"));
  std::vector<json> keystrokes;
  for (auto& r : requests()) {
    if (r["priority"] == "keystroke") keystrokes.push_back(std::move(r));
  }
  ASSERT_EQ(keystrokes.size(), 2U);
  EXPECT_EQ(keystrokes[0]["max_new_tokens"], 0);
  EXPECT_EQ(keystrokes[0]["prompt"], keystrokes[1]["prompt"]);
  EXPECT_GT(keystrokes[1]["max_new_tokens"], 0);
}

}  // namespace
}  // namespace ambit::testing
