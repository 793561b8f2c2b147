#include "tests/protocol/harness.h"

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>

namespace ambit::testing {

namespace {

// The prompt shows the cursor as a special token between what is before and after it.
constexpr const char* kScript = R"({
  "rules": [
    {"match": "int total = <｜fim▁hole｜>", "answer": "price * count;"},
    {"match": "once = <｜fim▁hole｜>", "answer": "first_answer();", "times": 1},
    {"match": "once = fir<｜fim▁hole｜>", "answer": "WRONG"},
    {"match": "\"😀!\"; int sum = <｜fim▁hole｜>", "answer": "synced;"},
    {"match": "one = <｜fim▁hole｜>", "answer": "1;"},
    {"match": "two = <｜fim▁hole｜>", "answer": "2;"},
    {"match": "slow = <｜fim▁hole｜>", "fault": "hang"}
  ]
})";

}  // namespace

void Protocol::SetUp() {
  auto pattern = (std::filesystem::temp_directory_path() / "ambit-protocol.XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
  for (const char* name : {"config/ambit", "cache", "state", "data", "run", "home", "project"}) {
    std::filesystem::create_directories(folder_ / name);
  }
  std::filesystem::permissions(folder_ / "run", std::filesystem::perms::owner_all);
  script(kScript);
  std::ofstream(folder_ / "config/ambit/config.toml")
      << "model = \"scripted:" << (folder_ / "script.json").string() << "\"\n";
  const std::string root = folder_.string();
  environment_ = {"HOME=" + root + "/home",
                  "XDG_CONFIG_HOME=" + root + "/config",
                  "XDG_CACHE_HOME=" + root + "/cache",
                  "XDG_STATE_HOME=" + root + "/state",
                  "XDG_DATA_HOME=" + root + "/data",
                  "XDG_RUNTIME_DIR=" + root + "/run"};
  if (auto loaded = MetaModel::load(MetaModel::default_path())) {
    model_ = std::move(*loaded);
  } else {
    std::cerr << "messages are not validated: " << loaded.error().message << "\n";
  }
}

void Protocol::TearDown() {
  for (const auto& editor : editors_) {
    for (const auto& violation : editor->violations()) ADD_FAILURE() << violation;
    EXPECT_EQ(editor->unread("telemetry/event"), 0) << "never sent";
  }
  editors_.clear();
  if (folder_.empty()) return;
  EXPECT_GE(run({"stop"}), 0) << "`ambit stop` does not end";
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

LspClient& Protocol::editor(std::vector<std::string> words) {
  words.insert(words.begin(), AMBIT_BINARY_DIR "/ambit");
  return *editors_.emplace_back(
      std::make_unique<LspClient>(std::move(words), environment_, model_ ? &*model_ : nullptr));
}

int Protocol::run(std::vector<std::string> words, std::string* out) {
  std::string command = "env";
  for (const auto& entry : environment_) command += " '" + entry + "'";
  words.insert(words.begin(), AMBIT_BINARY_DIR "/ambit");
  for (const auto& word : words) command += " '" + word + "'";
  std::FILE* pipe = ::popen((command + " 2>/dev/null </dev/null").c_str(), "r");
  if (pipe == nullptr) return -1;
  char buffer[4096];
  while (const auto n = std::fread(buffer, 1, sizeof buffer, pipe)) {
    if (out != nullptr) out->append(buffer, n);
  }
  const int status = ::pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void Protocol::configure(const std::string& line) const {
  std::ofstream(folder_ / "config/ambit/config.toml", std::ios::app) << line << "\n";
}

void Protocol::script(const std::string& text) const {
  std::ofstream(folder_ / "script.json") << text;
}

LspClient& Protocol::started_editor() {
  return started_editor(json::object());
}

LspClient& Protocol::started_editor(const json& more_capabilities) {
  LspClient& client = editor();
  client.capabilities.merge_patch(more_capabilities);
  EXPECT_TRUE(client.start("file://" + (folder_ / "project").string()).contains("result"));
  return client;
}

std::string Protocol::uri(const std::string& name) const {
  return "file://" + (folder_ / "project" / name).string();
}

int Protocol::pid_of_daemon(LspClient& client) {
  const auto status = client.call("workspace/executeCommand", {{"command", "ambit.status"}});
  if (!status.is_object() || !status.contains("result")) return -1;
  return status["result"].value("pid", -1);
}

std::vector<std::string> Protocol::texts(const json& reply) {
  std::vector<std::string> out;
  if (!reply.is_object() || !reply.contains("result") || !reply["result"].is_object()) return out;
  for (const auto& item : reply["result"]["items"]) out.push_back(item["insertText"]);
  return out;
}

int Protocol::error_code(const json& reply) {
  if (!reply.is_object() || !reply.contains("error")) return 0;
  return reply["error"].value("code", 0);
}

}  // namespace ambit::testing
