// The verbs about code as a program: their JSON on a small repository, with folders of their own.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ambit::daemon {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Cli : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ambit-cli-XXXXXX").string();
    base_ = ::mkdtemp(pattern.data());
    repo_ = base_ / "repo";
    for (const char* name : {"repo", "home", "cache", "state", "config", "data", "run"}) {
      fs::create_directories(base_ / name);
    }
    fs::permissions(base_ / "run", fs::perms::owner_all);
    write("shapes.h", "#pragma once\nint area_of(int width, int height);\n");
    write("shapes.cpp",
          "#include \"shapes.h\"\n\n/* caf\xC3\xA9 */ int area_of(int width, int height) {\n"
          "  return width * height;\n}\n");
    write("main.cpp", "#include \"shapes.h\"\n\nint main() {\n  return area_of(3, 4);\n}\n");
    write(".env", "KEY=value\n");
    write(".ambitignore", "drafts/\n");
    write("drafts/a.cpp", "int hidden_one() { return 1; }\n");
    write(".gitignore", "out/\n");
    write("out/b.cpp", "int built_one() { return 1; }\n");
    const auto git = "env -u GIT_DIR -u GIT_INDEX_FILE git -C '" + repo_.string() + "' ";
    ASSERT_EQ(std::system((git + "init -q -b main && " + git + "add -A").c_str()), 0);
  }
  void TearDown() override {
    (void)run("stop");
    std::error_code ignored;
    fs::remove_all(base_, ignored);
  }
  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((repo_ / name).parent_path());
    std::ofstream(repo_ / name, std::ios::binary) << content;
  }
  // Runs `ambit WORDS` in the repository; stdout in out_, the exit code returned.
  int run(const std::string& words) {
    std::string command = "cd '" + repo_.string() + "' && env -u AMBIT_MODEL";
    const std::pair<const char*, const char*> folders[] = {{"HOME", "home"},
                                                           {"XDG_CACHE_HOME", "cache"},
                                                           {"XDG_STATE_HOME", "state"},
                                                           {"XDG_CONFIG_HOME", "config"},
                                                           {"XDG_DATA_HOME", "data"},
                                                           {"XDG_RUNTIME_DIR", "run"}};
    for (const auto& [key, name] : folders) {
      command += std::string(" ") + key + "='" + (base_ / name).string() + "'";
    }
    command += " '" AMBIT_PROGRAM "' " + words + " 2>'" + (base_ / "err").string() + "'";
    out_.clear();
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return -1;
    char buffer[4096];
    while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out_.append(buffer, n);
    const int status = ::pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  [[nodiscard]] std::string errors() const {
    std::ifstream in(base_ / "err", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] json document() const { return json::parse(out_, nullptr, false); }
  [[nodiscard]] std::vector<json> lines() const {
    std::vector<json> all;
    for (std::size_t at = 0; at < out_.size();) {
      const auto end = std::min(out_.find('\n', at), out_.size());
      all.push_back(json::parse(out_.substr(at, end - at), nullptr, false));
      at = end + 1;
    }
    return all;
  }

  fs::path base_, repo_;
  std::string out_;
};

TEST_F(Cli, IndexBuildReportsAndReuses) {
  ASSERT_EQ(run("index build --json"), 0) << errors();
  auto report = document();
  EXPECT_EQ(report["root"], fs::canonical(repo_).string());
  EXPECT_EQ(report["languages"]["C++"].get<int>() + report["languages"].value("C", 0), 3);
  EXPECT_GE(report["definitions"], 2);
  EXPECT_GE(report["references"], 1);
  EXPECT_EQ(report["skipped"]["secret"], 1);
  EXPECT_EQ(report["reused_files"], 0);
  EXPECT_GT(report["index_bytes"], 0);
  EXPECT_GT(report["peak_rss_bytes"], 1000000);
  ASSERT_EQ(run("index build '" + repo_.string() + "' --json"), 0) << errors();
  EXPECT_GE(document()["reused_files"], 3);
}

TEST_F(Cli, IndexStatusNamesWhatIsLeftOut) {
  ASSERT_EQ(run("index status --json"), 0) << errors();
  bool secret = false;
  const auto status = document();
  for (const auto& file : status["skipped_files"]) {
    secret = secret || (file["path"] == ".env" && file["reason"] == "secret");
  }
  EXPECT_TRUE(secret) << out_;
}

TEST_F(Cli, StatusSpeaksToPeopleAndToPrograms) {
  EXPECT_EQ(run("status"), 3);
  EXPECT_NE(errors().find("no daemon runs; the first editor or command starts one"),
            std::string::npos)
      << errors();
  ASSERT_EQ(run("complete main.cpp:4:10"), 0) << errors();
  ASSERT_EQ(run("status --json"), 0) << errors();
  const auto status = document();
  EXPECT_EQ(status["model"]["name"], "ambit-nano");
  ASSERT_EQ(run("status"), 0) << errors();
  EXPECT_EQ(out_.find('{'), std::string::npos) << out_;
  EXPECT_NE(out_.find("process " + status["pid"].dump()), std::string::npos) << out_;
  EXPECT_NE(out_.find("ambit-nano: "), std::string::npos) << out_;
  EXPECT_NE(out_.find("editors       none"), std::string::npos) << out_;
}

TEST_F(Cli, IndexStatusSaysWhatIsKnownOfWhichTree) {
  write("broken.cpp",
        "int sound() { return 1; }\nint odd( { ] ;;\nint also_sound() { return 2; }\n");
  write("picture.png", std::string("\x89PNG\0\x01", 6));
  const auto git = "env -u GIT_DIR -u GIT_INDEX_FILE git -C '" + repo_.string() + "' ";
  ASSERT_EQ(std::system((git + "-c user.name=t -c user.email=t@localhost -c commit.gpgsign=false "
                               "commit -qm one")
                            .c_str()),
            0);
  ASSERT_EQ(run("index status --ranges --json"), 0) << errors();
  const auto first = document();
  // Coverage: every file is counted, and those that are left out have a reason.
  EXPECT_GE(first["files"], 6);
  EXPECT_GE(first["languages"]["C++"].get<int>() + first["languages"].value("C", 0), 4);
  json reasons = json::object();
  for (const auto& f : first["skipped_files"]) reasons[f["path"].get<std::string>()] = f["reason"];
  EXPECT_EQ(reasons[".env"], "secret") << out_;
  EXPECT_EQ(reasons["picture.png"], "binary") << out_;
  EXPECT_EQ(first["skipped"]["binary"], 1);
  // The ranges that the grammar did not understand.
  EXPECT_EQ(first["partial"], 1);
  ASSERT_EQ(first["partial_files"].size(), 1U) << out_;
  const auto& broken = first["partial_files"][0];
  EXPECT_EQ(broken["path"], "broken.cpp");
  EXPECT_EQ(broken["gave_up"], false);
  ASSERT_FALSE(broken["lines"].empty()) << out_;
  EXPECT_EQ(broken["lines"][0][0], 2) << out_;
  // The exact tree: the commit and the branch, and an id of the contents.
  ASSERT_EQ(std::system((git + "rev-parse HEAD >'" + (base_ / "head").string() + "'").c_str()), 0);
  std::string head;
  std::ifstream(base_ / "head") >> head;
  EXPECT_EQ(first["tree"].get<std::string>(), head + " main");
  ASSERT_EQ(run("index status --json"), 0) << errors();
  EXPECT_EQ(document()["content"], first["content"]);
  write("main.cpp", "int main() { return 0; }\n");
  ASSERT_EQ(run("index status --json"), 0) << errors();
  EXPECT_EQ(document()["tree"], first["tree"]);
  EXPECT_NE(document()["content"], first["content"]);
}

TEST_F(Cli, IndexPathsThatAreNoUtf8AreEscaped) {
  write("caf\xE9 1.cpp", "int latin_one() { return 1; }\n");
  ASSERT_EQ(run("index symbols --format jsonl"), 0) << errors();
  json odd;
  for (const auto& line : lines()) {
    ASSERT_TRUE(line.is_object()) << out_;
    if (line["name"] == "latin_one") odd = line;
    EXPECT_EQ(line.contains("path_escaped"), line["name"] == "latin_one");
  }
  EXPECT_EQ(odd["path"], "caf\xEF\xBF\xBD 1.cpp") << out_;
  EXPECT_EQ(odd["path_escaped"], "caf%E9%201.cpp") << out_;
  ASSERT_EQ(run("index refs latin_one --declarations --format jsonl"), 0) << errors();
  ASSERT_EQ(lines().size(), 1U) << out_;
  EXPECT_EQ(lines()[0]["definition"]["path_escaped"], "caf%E9%201.cpp") << out_;
}

TEST_F(Cli, IndexSymbolsCountFromOneInBytes) {
  ASSERT_EQ(run("index symbols --file shapes.cpp --format jsonl"), 0) << errors();
  json found;
  for (const auto& line : lines()) {
    if (line["name"] == "area_of") found = line;
  }
  ASSERT_TRUE(found.is_object()) << out_;
  EXPECT_EQ(found["path"], "shapes.cpp");
  EXPECT_EQ(found["line"], 3);
  EXPECT_EQ(found["col"], 17);  // after "/* café */ int ", in which é takes two bytes
  EXPECT_EQ(found["end_line"], 5);
  EXPECT_EQ(found["kind"], "function");
  EXPECT_EQ(found["scope"], "");
  EXPECT_NE(found["signature"].get<std::string>().find("int width"), std::string::npos);
  EXPECT_EQ(run("index symbols --file nothing.cpp"), 2);
  EXPECT_NE(errors().find("nothing.cpp"), std::string::npos);
}

TEST_F(Cli, IndexRefsKnowTheDefinition) {
  ASSERT_EQ(run("index refs area_of --format jsonl"), 0) << errors();
  json call;
  for (const auto& line : lines()) {
    if (line["path"] == "main.cpp") call = line;
  }
  ASSERT_TRUE(call.is_object()) << out_;
  EXPECT_EQ(call["line"], 4);
  EXPECT_EQ(call["col"], 10);
  EXPECT_EQ(call["kind"], "call");
  EXPECT_EQ(call["definition"], (json{{"path", "shapes.cpp"}, {"line", 3}}));
  std::vector<std::string> kinds;
  ASSERT_EQ(run("index refs area_of --declarations --format jsonl"), 0) << errors();
  for (const auto& line : lines())
    kinds.push_back(line["path"].get<std::string>() + " " + line["kind"].get<std::string>());
  std::sort(kinds.begin(), kinds.end());
  EXPECT_EQ(kinds, (std::vector<std::string>{"main.cpp call", "shapes.cpp definition",
                                             "shapes.h declaration"}));
}

TEST_F(Cli, IndexSearchFindsTextAndPatterns) {
  ASSERT_EQ(run("index search 'width * height' --format jsonl"), 0) << errors();
  ASSERT_EQ(lines().size(), 1U) << out_;
  EXPECT_EQ(lines()[0]["path"], "shapes.cpp");
  EXPECT_EQ(lines()[0]["line"], 4);
  EXPECT_EQ(lines()[0]["col"], 10);
  ASSERT_EQ(run("index search 'area_of\\(\\d' --regex --format jsonl"), 0) << errors();
  ASSERT_EQ(lines().size(), 1U) << out_;
  EXPECT_EQ(lines()[0]["path"], "main.cpp");
  ASSERT_EQ(run("index search built_one --format jsonl"), 0) << errors();
  EXPECT_TRUE(out_.empty()) << out_;
  ASSERT_EQ(run("index search hidden_one --format jsonl"), 0) << errors();
  EXPECT_TRUE(out_.empty()) << out_;
  EXPECT_EQ(run("index search '(' --regex"), 2);
}

TEST_F(Cli, IndexLanguagesSayWhatTheyExtract) {
  ASSERT_EQ(run("index languages --json"), 0) << errors();
  int with_version = 0;
  const auto all = document();
  for (const auto& language : all) {
    if (!language["version"].get<std::string>().empty()) ++with_version;
    if (language["id"] != "cpp") continue;
    EXPECT_TRUE(language["references"]);
    EXPECT_FALSE(language["definitions"].empty());
  }
  EXPECT_GE(all.size(), 25U);
  EXPECT_EQ(with_version, static_cast<int>(all.size()));
}

TEST_F(Cli, ContextPackStaysBelowItsBudget) {
  ASSERT_EQ(run("context pack main.cpp:4:10 --budget 500 --json"), 0) << errors();
  const auto pack = document();
  EXPECT_EQ(pack["budget"], 500);
  EXPECT_LE(pack["tokens"], 500);
  std::int64_t sum = 0;
  bool definition = false;
  for (const auto& span : pack["spans"]) {
    sum += span["tokens"].get<std::int64_t>();
    definition = definition || span["path"].get<std::string>().starts_with("shapes.");
    EXPECT_FALSE(span["reason"].get<std::string>().empty());
  }
  EXPECT_EQ(sum, pack["tokens"]);
  EXPECT_TRUE(definition) << out_;
  ASSERT_EQ(run("context explain main.cpp:4:10 --budget 500"), 0) << errors();
  EXPECT_NE(out_.find("shapes."), std::string::npos) << out_;
  EXPECT_EQ(run("context pack main.cpp:0:1 --budget 500"), 2);
  EXPECT_EQ(run("context pack main.cpp --budget 500"), 2);
}

TEST_F(Cli, IgnoreCheckNamesTheRule) {
  ASSERT_EQ(run("ignore check main.cpp .env drafts/a.cpp out/b.cpp --json"), 0) << errors();
  const auto all = document();
  ASSERT_EQ(all.size(), 4U) << out_;
  EXPECT_TRUE(all[0]["sent"]);
  EXPECT_EQ(all[0]["rule"], "source");
  const char* rules[] = {"source", "secret", ".ambitignore", "git ignore rules"};
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_FALSE(all[i]["sent"]) << all[i];
    EXPECT_EQ(all[i]["rule"], rules[i]);
  }
  EXPECT_EQ(run("ignore check nothing.cpp"), 2);
}

TEST_F(Cli, CheckTimesEachStep) {
  ASSERT_EQ(run("check main.cpp --json"), 0) << out_ << errors();
  const auto out = document();
  EXPECT_TRUE(out["ok"]);
  std::string names;
  for (const auto& step : out["steps"]) {
    names += step["step"].get<std::string>() + " ";
    EXPECT_TRUE(step["ok"]) << step;
    EXPECT_GE(step["ms"], 0.0);
  }
  EXPECT_EQ(names, "open index tokenizer pack daemon complete ");
  EXPECT_NE(run("check nothing.cpp --json"), 0);
  EXPECT_FALSE(document()["ok"]);
}

TEST_F(Cli, TheDocsHoldEverySetting) {
  ASSERT_EQ(run("config schema --format markdown"), 0) << errors();
  ASSERT_FALSE(out_.empty());
  std::ifstream in(AMBIT_SOURCE_DIR "/docs/configuration.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(page.find(out_), std::string::npos)
      << "put what `ambit config schema --format markdown` prints into docs/configuration.md";
}

TEST_F(Cli, DoctorSaysWhatIsWrong) {
  ASSERT_EQ(run("doctor --json"), 0) << out_;
  EXPECT_TRUE(document()["ok"]);
  EXPECT_EQ(run("doctor --model '" + (base_ / "absent").string() + "' --json"), 1);
  bool said = false;
  const auto sick = document();
  for (const auto& check : sick["checks"]) {
    if (check["check"] != "model") continue;
    EXPECT_EQ(check["result"], "error");
    said = !check["advice"].get<std::string>().empty();
  }
  EXPECT_TRUE(said) << out_;
}

}  // namespace
}  // namespace ambit::daemon
