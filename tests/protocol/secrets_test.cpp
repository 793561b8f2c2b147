// 200 secrets and ignore rules at every level: none of them in what a model reads, in a log, or in
// anything that is kept.
#include <algorithm>
#include <cstring>
#include <random>
#include <set>

#include "indexer/store/segment.h"
#include "inference/kv/page.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/protocol/warm_prefix.h"

namespace ambit::testing {
namespace {

namespace fs = std::filesystem;

class Secrets : public WarmPrefix {
 protected:
  void SetUp() override {
    WarmPrefix::SetUp();
    std::mt19937 random(11);
    const auto make = [&](std::string_view alphabet, std::size_t n) {
      std::string s;
      while (s.size() < n) s += alphabet[random() % alphabet.size()];
      return s;
    };
    const std::string_view alnum = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789";
    const std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const auto secret_line = [&] {
      switch (secrets_.size() % 5) {
        case 0:
          secrets_.push_back(std::string("AKI") + "A" + make(upper, 16));
          return "static const char* kKey = \"" + secrets_.back() + "\";\n";
        case 1:
          secrets_.push_back(std::string("gh") + "p_" + make(alnum, 36));
          return "// use " + secrets_.back() + " here\n";
        case 2:  // pasted where a name could stand
          secrets_.push_back(std::string("gh") + "p_" + make(alnum, 36));
          return "auto token = " + secrets_.back() + ";\n";
        case 3:
          secrets_.push_back(make(alnum, 20) + "7a");
          return "const char* password = \"" + secrets_.back() + "\";\n";
        default:
          secrets_.push_back(make(alnum, 14) + "9");
          return "auto url = \"postgres://bob:" + secrets_.back() + "@db.local/x\";\n";
      }
    };
    for (int i = 0; i < 8; ++i) current_ += secret_line();
    for (int i = 0; i < 60; ++i) {
      const std::string n = std::to_string(i);
      write("src/file" + n + ".cpp", "int price_" + n + "(int count);\n" + secret_line() +
                                         secret_line() + "int cost_" + n + "();\n");
    }
    // Ignored, at every level; the content is no secret to anybody but these rules, and the name
    // neither.
    const auto hidden = [&](const std::string& name) {
      secrets_.push_back("hidden_" + make(alnum, 12));
      write(name, "int " + secrets_.back() + "(int count);\n");
      hidden_names_.push_back(fs::path(name).filename());
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
    for (const char* name :
         {".env", "id_rsa", "server.pem", ".netrc", ".npmrc", "deep/down/.env"}) {
      hidden(name);
    }
    while (secrets_.size() < 200) {
      write("src/more" + std::to_string(secrets_.size()) + ".cpp", secret_line());
    }
  }

  // Opens the project, waits until the model has read it, asks once, and ends everything.
  void use() {
    auto& client = started_editor();
    client.open(uri("src/file3.cpp"), current_ + "int total = \n");
    wait_until_warm(client);
    (void)client.call("textDocument/inlineCompletion",
                      LspClient::inline_params(uri("src/file3.cpp"), 8, 12));
    client.notify("exit", nullptr);
    client.wait_exit();
    LspClient({AMBIT_BINARY_DIR "/ambit", "stop"}, environment(), nullptr).wait_exit();
  }

  // Everything that was written but the project itself.
  [[nodiscard]] std::vector<fs::path> written() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      const bool project = entry.path().string().starts_with((folder_ / "project").string());
      if (entry.is_regular_file() && !project) out.push_back(entry.path());
    }
    return out;
  }
  static std::string bytes_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void expect_none(const std::string& bytes, const std::string& where) const {
    for (const auto& secret : secrets_) {
      EXPECT_EQ(bytes.find(secret), std::string::npos) << secret << " in " << where;
    }
  }

  std::vector<std::string> secrets_, hidden_names_;
  std::string current_;  // the open file's text, unsaved
};

// What a segment of the index keeps as words, which in the file are compressed.
std::string words_of(const fs::path& path) {
  const auto segment = indexer::Segment::open(path);
  EXPECT_TRUE(segment) << segment.error().message;
  std::string out;
  for (std::uint32_t n = 0; n < (*segment)->name_count(); ++n) out += (*segment)->name(n) + "\n";
  for (std::uint32_t r = 0; r < (*segment)->record_count(); ++r) {
    for (const auto& d : (*segment)->definitions(r)) out += d.name + " " + d.d.owner + "\n";
    for (const auto& module : (*segment)->imports(r)) out += module + "\n";
  }
  return out;
}

// What the pages of a model's state on disk (disk_store.h) were computed from.
std::string words_of(const std::string& bytes, const inference::Tokenizer& tokenizer) {
  constexpr std::size_t kHeader = 64, kLength = 8;
  std::string out;
  for (std::size_t at = 0; at + kHeader <= bytes.size();) {
    std::uint64_t payload = 0;
    std::memcpy(&payload, bytes.data() + at + kLength, sizeof payload);
    std::array<inference::TokenId, inference::kPageTokens> ids{};
    const std::size_t body = at + kHeader;
    if (payload > bytes.size() - body) break;
    if (bytes[at + 4] == 1 && payload >= sizeof ids) {
      std::memcpy(ids.data(), bytes.data() + body, sizeof ids);
      for (const auto id : ids) out += tokenizer.token_bytes(id);
    }
    at = body + payload;
  }
  return out;
}

TEST_F(Secrets, AreInNoPromptLogOrState) {
  use();
  ASSERT_GT(requests().size(), 1U);
  for (const auto& request : requests()) {
    const auto prompt = request["prompt"].get<std::string>();
    for (const auto& name : hidden_names_) {
      const auto at = prompt.find(name);
      EXPECT_EQ(at, std::string::npos)
          << name << " is named to the model: " << prompt.substr(at < 80 ? 0 : at - 80, 160);
    }
  }
  std::set<std::string> kinds;
  bool placeholder = false;
  std::string index;
  for (const fs::path& path : written()) {
    kinds.insert(path.extension());
    const bool ours =
        !path.string().starts_with((folder_ / "config").string()) && path.parent_path() != folder_;
    constexpr auto kOthers = fs::perms::group_all | fs::perms::others_all;
    EXPECT_TRUE(!ours || (fs::status(path).permissions() & kOthers) == fs::perms::none)
        << path << " is not its owner's alone";
    const std::string bytes = bytes_of(path);
    placeholder |= bytes.find("<secret:") != std::string::npos;
    expect_none(bytes, path);
    if (path.extension() == ".seg") index += words_of(path);
  }
  EXPECT_TRUE(placeholder) << "the files were not read at all";
  expect_none(index, "the index");
  EXPECT_NE(index.find("price_7\n"), std::string::npos) << "the index was not read";
  for (const char* kind : {".seg", ".pack", ".log", ".jsonl"}) {
    EXPECT_TRUE(kinds.contains(kind)) << "no " << kind << " was looked at";
  }
}

// With our own engine, whose state on disk is of the tokens that it read.
TEST_F(Secrets, AreInNoStateOfTheEngine) {
  const fs::path from = fs::path(AMBIT_SOURCE_DIR) / "inference/nano/model";
  const fs::path model = folder_ / "model";
  fs::create_directories(model);
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
    fs::create_symlink(from / name, model / name);
  }
  std::ofstream(model / "ambit.json") << R"({"name": "reads-more", "fim": "spm"})";
  std::ofstream(folder_ / "config/ambit/config.toml")
      << "model = \"" << model.string() << "\"\nlog.level = \"debug\"\n"
      << "completion.context_tokens = 8192\ncompletion.memory = \"off\"\n";
  use();
  const auto tokenizer = inference::Tokenizer::load(model / "tokenizer.json");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  std::string read;
  for (const fs::path& path : written()) {
    if (path.parent_path() == model) continue;
    const std::string bytes = bytes_of(path);
    expect_none(bytes, path);
    if (path.string().find("model-state") != std::string::npos) {
      read += words_of(bytes, **tokenizer);
    }
  }
  expect_none(read, "the engine's state");
  EXPECT_NE(read.find("<secret:"), std::string::npos) << "no page of the repository was found";
}

}  // namespace
}  // namespace ambit::testing
