// A repository that the model reads before anybody types, and what it must never read.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

using ::testing::ElementsAre;
using json = nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kInline = "textDocument/inlineCompletion";

class WarmPrefix : public Protocol {
 protected:
  void SetUp() override {
    Protocol::SetUp();
    std::ofstream(folder_ / "script.json")
        << json({{"record", (folder_ / "requests.jsonl").string()},
                 {"rules", {{{"match", "int total = <｜fim▁hole｜>"}, {"answer", "price();"}}}}});
    std::ofstream(folder_ / "config/ambit/config.toml", std::ios::app)
        << "completion.context_tokens = 20000\nlog.level = \"debug\"\n";
    ASSERT_EQ(std::system(("git init -q " + (folder_ / "project").string()).c_str()), 0);
    for (int i = 0; i < 80; ++i) {
      std::string text;
      for (int k = 0; k < 8; ++k) {
        text += "int price_" + std::to_string(i) + "_" + std::to_string(k) + "(int count) {\n" +
                "  return price_" + std::to_string(i * 7 % 80) + "_" + std::to_string(k) +
                "(count + 1);\n}\n";
      }
      write("src/file" + std::to_string(i) + ".cpp", text);
    }
  }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / "project" / name).parent_path());
    std::ofstream(folder_ / "project" / name) << text;
  }

  // Prompts of the record, oldest first.
  [[nodiscard]] std::vector<json> requests() const {
    std::vector<json> out;
    std::ifstream file(folder_ / "requests.jsonl");
    for (std::string line; std::getline(file, line);) {
      auto entry = json::parse(line);
      if (entry.contains("request")) out.push_back(std::move(entry));
    }
    return out;
  }

  static void wait_until_warm(LspClient& client) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    json status;
    while (std::chrono::steady_clock::now() < until) {
      status = client.call("workspace/executeCommand", {{"command", "ambit.status"}});
      const auto& workspaces = status["result"]["workspaces"];
      if (!workspaces.empty() && workspaces[0]["warm"].is_object() &&
          workspaces[0]["warm"]["state"] == "warm") {
        return;
      }
    }
    FAIL() << "not warm: " << status.dump();
  }
};

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

TEST_F(WarmPrefix, NoSecretAndNothingIgnoredIsInAnyPromptLogOrState) {
  std::mt19937 random(11);
  const auto make = [&](std::string_view alphabet, std::size_t n) {
    std::string s;
    while (s.size() < n) s += alphabet[random() % alphabet.size()];
    return s;
  };
  const std::string_view alnum = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789";
  const std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::vector<std::string> secrets;
  const auto secret_line = [&] {
    switch (secrets.size() % 4) {
      case 0:
        secrets.push_back(std::string("AKI") + "A" + make(upper, 16));
        return "static const char* kKey = \"" + secrets.back() + "\";\n";
      case 1:
        secrets.push_back(std::string("gh") + "p_" + make(alnum, 36));
        return "// use " + secrets.back() + " here\n";
      case 2:
        secrets.push_back(make(alnum, 20) + "7a");
        return "const char* password = \"" + secrets.back() + "\";\n";
      default:
        secrets.push_back(make(alnum, 14) + "9");
        return "auto url = \"postgres://bob:" + secrets.back() + "@db.local/x\";\n";
    }
  };
  std::string current;
  for (int i = 0; i < 8; ++i) current += secret_line();
  for (int i = 0; i < 60; ++i) {
    const std::string n = std::to_string(i);
    write("src/file" + n + ".cpp", "int price_" + n + "(int count);\n" + secret_line() +
                                       secret_line() + "int cost_" + n + "();\n");
  }
  // Ignored, at every level; the content is no secret to anybody but these rules, and the name
  // neither.
  std::vector<std::string> names;
  const auto hidden = [&](const std::string& name) {
    secrets.push_back("hidden_" + make(alnum, 12));
    write(name, "int " + secrets.back() + "(int count);\n");
    names.push_back(fs::path(name).filename());
  };
  write(".gitignore", "/private/\n*.local.cpp\n");
  write("src/.gitignore", "here.cpp\n");
  write(".ambitignore", "quiet/\n");
  std::ofstream(folder_ / "project/.git/info/exclude") << "excluded.cpp\n";
  for (int i = 0; i < 14; ++i) {
    const std::string n = std::to_string(i);
    hidden("private/aside" + n + ".cpp");
    hidden("src/beside" + n + ".local.cpp");
    hidden("quiet/closed" + n + ".cpp");
  }
  hidden("src/here.cpp");
  hidden("excluded.cpp");
  for (const char* name : {".env", "id_rsa", "server.pem", ".netrc", ".npmrc", "deep/down/.env"}) {
    hidden(name);
  }
  while (secrets.size() < 200) {
    write("src/more" + std::to_string(secrets.size()) + ".cpp", secret_line());
  }

  auto& client = started_editor();
  client.open(uri("src/file3.cpp"), current + "int total = \n");
  wait_until_warm(client);
  EXPECT_THAT(texts(client.call(kInline, LspClient::inline_params(uri("src/file3.cpp"), 8, 12))),
              ElementsAre("int total = price();"));
  client.notify("exit", nullptr);
  client.wait_exit();
  LspClient({AMBIT_BINARY_DIR "/ambit", "stop"}, environment(), nullptr).wait_exit();

  ASSERT_GT(requests().size(), 1U);
  for (const auto& request : requests()) {
    const auto prompt = request["prompt"].get<std::string>();
    for (const auto& name : names) {
      EXPECT_EQ(prompt.find(name), std::string::npos) << name << " is named to the model";
    }
  }
  int files = 0;
  bool placeholder = false;
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    if (!entry.is_regular_file() ||
        entry.path().string().starts_with((folder_ / "project").string())) {
      continue;
    }
    ++files;
    const bool ours = !entry.path().string().starts_with((folder_ / "config").string()) &&
                      entry.path().parent_path() != folder_;
    constexpr auto kOthers = fs::perms::group_all | fs::perms::others_all;
    EXPECT_TRUE(!ours || (entry.status().permissions() & kOthers) == fs::perms::none)
        << entry.path() << " is not its owner's alone";
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    placeholder |= bytes.find("<secret:") != std::string::npos;
    for (const auto& secret : secrets) {
      EXPECT_EQ(bytes.find(secret), std::string::npos) << secret << " in " << entry.path();
    }
  }
  EXPECT_GT(files, 2);
  EXPECT_TRUE(placeholder) << "the files were not read at all";
}

}  // namespace
}  // namespace ambit::testing
