// A remote model the whole way: the program and an editor on one side, a server of ours on the
// other.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "tests/inference/remote/fault_server.h"
#include "tests/inference/remote/llama_server.h"
#include "tests/support/lsp_client.h"

namespace ambit::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Remote : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ambit-remote-XXXXXX").string();
    base_ = ::mkdtemp(pattern.data());
    for (const char* name : {"repo", "home", "cache", "state", "config", "data", "run"}) {
      fs::create_directories(base_ / name);
    }
    fs::permissions(base_ / "run", fs::perms::owner_all);
    std::ofstream(base_ / "repo/a.c") << kText;
    ASSERT_EQ(std::system(("git -C '" + (base_ / "repo").string() + "' init -q").c_str()), 0);
    server_ = std::make_unique<FaultServer>(like_vllm([this](const auto&, auto& r) {
      std::unique_lock lock(mutex_);
      const auto answer = answer_;
      lock.unlock();
      answer(r);
    }));
    answer_with([](FaultServer::Reply& r) {
      r.begin_stream();
      r.event(R"({"choices":[{"text":"width * height;","finish_reason":null}]})");
      r.event(R"({"choices":[{"text":"","finish_reason":"stop"}]})");
      r.end_stream();
    });
    const std::string root = base_.string();
    environment_ = {
        "AMBIT_MODEL=remote:vllm@" + server_->url(), "HOME=" + root + "/home",
        "XDG_CONFIG_HOME=" + root + "/config",       "XDG_CACHE_HOME=" + root + "/cache",
        "XDG_STATE_HOME=" + root + "/state",         "XDG_DATA_HOME=" + root + "/data",
        "XDG_RUNTIME_DIR=" + root + "/run"};
  }
  void TearDown() override {
    (void)run("stop");
    server_.reset();
    std::error_code ignored;
    fs::remove_all(base_, ignored);
  }
  std::string run(const std::string& words) {
    std::string command = "cd '" + (base_ / "repo").string() + "' && env";
    for (const auto& entry : environment_) command += " '" + entry + "'";
    command += std::string(" " AMBIT_PROGRAM " ") + words + " 2>&1";
    std::string out;
    FILE* pipe = ::popen(command.c_str(), "r");
    char piece[4096];
    while (const auto n = std::fread(piece, 1, sizeof piece, pipe)) out.append(piece, n);
    ::pclose(pipe);
    return out;
  }
  // Requests that carried text of the repository.
  std::size_t sent() const {
    std::size_t count = 0;
    for (const auto& request : server_->requests()) {
      if (request.body.find("area_of") != std::string::npos) ++count;
    }
    return count;
  }

  static constexpr const char* kText = "int area_of(int width, int height) {\n  return \n}\n";
  fs::path base_;
  std::vector<std::string> environment_;
  void answer_with(std::function<void(FaultServer::Reply&)> answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  std::mutex mutex_;
  std::function<void(FaultServer::Reply&)> answer_;  // under mutex_: the server has threads
  std::unique_ptr<FaultServer> server_;
};

TEST_F(Remote, ARepositoryIsSentOnlyAfterItsUserAgreed) {
  const auto refused = run("complete a.c:2:10");
  EXPECT_NE(refused.find("ambit remote allow"), std::string::npos) << refused;
  EXPECT_EQ(sent(), 0U);
  EXPECT_NE(run("remote allow").find("may now be sent to " + server_->url()), std::string::npos);
  const auto items = json::parse(run("complete a.c:2:10 --json"));
  ASSERT_EQ(items["items"].size(), 1U) << items;
  EXPECT_EQ(items["items"][0]["text"], "width * height;");
  EXPECT_EQ(sent(), 1U);
  const auto status = json::parse(run("status --json"));
  EXPECT_EQ(status["model"]["name"], "tiny");
  EXPECT_NE(status["model"]["device"].get<std::string>().find(server_->url()), std::string::npos);
  run("remote deny");
  EXPECT_NE(run("complete a.c:2:10").find("ambit remote allow"), std::string::npos);
  EXPECT_EQ(sent(), 1U);
}

TEST_F(Remote, ACutConnectionLeavesNothingOnTheScreen) {
  run("remote allow");
  answer_with([](FaultServer::Reply& r) {
    r.begin_stream();
    r.event(R"({"choices":[{"text":"width * he","finish_reason":null}]})");
    r.hang_up = true;
  });
  LspClient editor({AMBIT_PROGRAM, "lsp", "--stdio"}, environment_, nullptr);
  editor.start("file://" + (base_ / "repo").string());
  const std::string uri = "file://" + (base_ / "repo/a.c").string();
  editor.open(uri, kText);
  const auto cut =
      editor.call("textDocument/inlineCompletion", LspClient::inline_params(uri, 1, 9));
  ASSERT_TRUE(cut.contains("result")) << cut;
  const bool nothing = cut["result"].is_null() || cut["result"]["items"].empty();
  EXPECT_TRUE(nothing) << cut;
  EXPECT_GE(sent(), 1U);
}

TEST_F(Remote, AReviewGoesThroughTheServerOfLlama) {
  if (const auto why = LlamaServer::missing(); !why.empty()) GTEST_SKIP() << why;
  LlamaServer llama("w*h;", "abcd");
  ASSERT_TRUE(llama.ready()) << "llama.cpp's server does not start";
  environment_[0] = "AMBIT_MODEL=remote:llamacpp@" + llama.url();
  run("remote allow");
  ASSERT_EQ(std::system(("cd '" + (base_ / "repo").string() + "' && git add -A").c_str()), 0);
  // The tiny model says "abcdabcd…", which is no finding: said, and the facts stand.
  const auto text = run("review --format json");
  const auto review = json::parse(text, nullptr, false);
  ASSERT_TRUE(review.is_object()) << text;
  EXPECT_TRUE(review["findings"].empty()) << text;
  EXPECT_NE(review["summary"]["notes"].dump().find("answer was no list of findings"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace ambit::testing
