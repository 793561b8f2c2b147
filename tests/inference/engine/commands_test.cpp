// What the command line's model verbs do, on golden checkpoints.
#include "inference/engine/commands.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "daemon/support/file.h"
#include "gtest/gtest.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

class Commands : public testing::Test {
 protected:
  void SetUp() override {
    const auto folder = golden::folder("f32-a");
    if (!folder) GTEST_SKIP() << "golden checkpoint f32-a is not here";
    model_ = *folder;
    dir_ =
        std::filesystem::temp_directory_path() / ("ambit-commands-" + std::to_string(::getpid()));
    std::filesystem::create_directories(dir_);
    std::ofstream(dir_ / "ids.json") << nlohmann::json(ids_).dump();
  }
  void TearDown() override {
    std::error_code ec;
    std::filesystem::remove_all(dir_, ec);
  }
  std::string logits(LogitsCommand c) {
    c.model = model_;
    c.ids = dir_ / "ids.json";
    c.out = dir_ / "out.bin";
    const auto r = run_logits(c);
    EXPECT_TRUE(r) << (r ? "" : r.error().message);
    return read_file(c.out).value();
  }
  std::filesystem::path model_;
  std::filesystem::path dir_;
  std::vector<int> ids_ = [] {
    std::vector<int> v(150);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<int>(i * 37 % 512);
    return v;
  }();
};

TEST_F(Commands, LogitsAreTheSameBytesForEveryChunkAndSplit) {
  const std::string want = logits({});
  EXPECT_EQ(want.size(), 150U * 512U * 4U);
  EXPECT_EQ(logits({.chunk = 7}), want);
  EXPECT_EQ(logits({.chunk = 129}), want);
  EXPECT_EQ(logits({.split = 140}), want);
  EXPECT_EQ(logits({.split = 0}), want);
  EXPECT_EQ(logits({.threads = 1}), want);
  EXPECT_NE(logits({.numerics = "release"}), want);
}

TEST_F(Commands, LogitsNameWhatIsWrong) {
  LogitsCommand c{.model = model_, .ids = dir_ / "ids.json", .out = dir_ / "out.bin"};
  c.numerics = "exact";
  EXPECT_EQ(run_logits(c).error().code, Code::kInvalidArgument);
  c.numerics = "plain";
  std::ofstream(dir_ / "ids.json") << "[1, 512]";
  EXPECT_EQ(run_logits(c).error().code, Code::kInvalidArgument);
  c.backend = "abacus";
  EXPECT_EQ(run_logits(c).error().code, Code::kInvalidArgument);
}

TEST_F(Commands, ASessionReportsWhatItReused) {
  auto edited = ids_;
  edited[145] = (edited[145] + 1) % 512;
  std::stringstream in;
  in << nlohmann::json{{"ids", ids_}, {"predict", 3}, {"logprobs", 2}}.dump() << "\n"
     << "nonsense\n"
     << nlohmann::json{{"ids", edited}, {"predict", 2}}.dump() << "\n";
  std::stringstream out;
  ASSERT_TRUE(run_session({.model = model_}, in, out));
  std::string line;
  ASSERT_TRUE(std::getline(out, line));
  const auto first = nlohmann::json::parse(line);
  EXPECT_EQ(first["ids"].size(), 3U);
  EXPECT_EQ(first["computed_tokens"], 150);
  EXPECT_EQ(first["logprobs"][0].size(), 2U);
  EXPECT_EQ(first["logprobs"][0][0][0], first["ids"][0]);
  ASSERT_TRUE(std::getline(out, line));
  EXPECT_TRUE(nlohmann::json::parse(line).contains("error"));
  ASSERT_TRUE(std::getline(out, line));
  EXPECT_EQ(nlohmann::json::parse(line)["computed_tokens"], 5);
}

TEST_F(Commands, ARequestThatIsWrongIsSaid) {
  for (const auto& [rest, why] : std::initializer_list<std::pair<std::string, std::string>>{
           {R"("predict":-1)", "predict is not a whole number from 0 to 16777216"},
           {R"("predict":"two")", "predict is not a whole number from 0 to 16777216"},
           {R"("predict":1.5)", "predict is not a whole number from 0 to 16777216"},
           {R"("logprobs":65)", "logprobs is not a whole number from 0 to 64"},
           {R"("temperature":-0.5)", "temperature is not a number from 0.0 to 1000000.0"},
           {R"("top_p":2)", "top_p is not a number from 0.0 to 1.0"},
           {R"("drop":1)", "drop is not true or false"},
           {R"("grammar":3)", "grammar is not text"}}) {
    std::stringstream in("{\"ids\":[1]," + rest + "}\n");
    std::stringstream out;
    ASSERT_TRUE(run_session({.model = model_}, in, out));
    EXPECT_EQ(nlohmann::json::parse(out.str()), (nlohmann::json{{"error", why}}));
  }
  std::stringstream in(R"({"ids":[1],"predict":1.0,"seed":null,"drop":false})");
  std::stringstream out;
  ASSERT_TRUE(run_session({.model = model_}, in, out));
  EXPECT_EQ(nlohmann::json::parse(out.str())["ids"].size(), 1U);
}

TEST_F(Commands, ABenchMeasures) {
  const auto r = run_bench({.model = model_, .prompt = 40, .generate = 5, .depth = 20});
  ASSERT_TRUE(r);
  EXPECT_GT(r->prefill_tps, 0);
  EXPECT_GT(r->decode_tps, 0);
  EXPECT_GT(r->bytes_per_token, 100e3);
  EXPECT_TRUE(nlohmann::json::parse(to_json(*r)).contains("isa"));
}

}  // namespace
}  // namespace ambit::inference
