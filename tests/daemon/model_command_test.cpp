// `ambit model …` as a program: the bundled model, real pipes, real exit codes.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace ambit::daemon {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int code = -1;
  std::string out;
};

class ModelCommand : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("ambit-model-command-" + std::to_string(::getpid()));
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  // Runs `ambit model WORDS` with this stdin on the bundled model.
  [[nodiscard]] Outcome run(const std::string& words, const std::string& input = {}) const {
    std::ofstream(dir_ / "in", std::ios::binary) << input;
    const std::string command = "'" AMBIT_PROGRAM "' model " + words + " < '" +
                                (dir_ / "in").string() + "' 2>'" + (dir_ / "err").string() + "'";
    Outcome outcome;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return outcome;
    char buffer[4096];
    while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) {
      outcome.out.append(buffer, n);
    }
    const int status = ::pclose(pipe);
    if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
    return outcome;
  }
  [[nodiscard]] std::string errors() const {
    std::ifstream in(dir_ / "err", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const std::string model_ = " --model '" AMBIT_SOURCE_DIR "/inference/nano/model'";
  fs::path dir_;
};

TEST_F(ModelCommand, TextSurvivesTokenizeAndDetokenize) {
  const std::string text = "int main() {\n\treturn 0;  // caf\xC3\xA9 \xF0\x9F\x8C\xA6\n}\n\xFF";
  const auto ids = run("tokenize" + model_, text);
  ASSERT_EQ(ids.code, 0) << errors();
  EXPECT_GT(nlohmann::json::parse(ids.out).size(), 5U);
  EXPECT_EQ(run("detokenize" + model_, ids.out).out, text);
}

TEST_F(ModelCommand, RendersFillInTheMiddleAsTextAndAsIds) {
  const std::string request = R"({"fim": {"prefix": "a", "suffix": "b"}})";
  const auto text = run("render" + model_, request);
  ASSERT_EQ(text.code, 0) << errors();
  EXPECT_EQ(text.out, "<｜begin▁of▁sentence｜><｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>");
  const auto ids = run("render --ids" + model_, request);
  EXPECT_EQ(ids.out, run("tokenize --special" + model_, text.out).out);
  EXPECT_EQ(nlohmann::json::parse(ids.out).size(), 6U);
}

TEST_F(ModelCommand, InfoCountsWhatTheCheckpointHolds) {
  const auto info = run("info --json" + model_);
  ASSERT_EQ(info.code, 0) << errors();
  const auto json = nlohmann::json::parse(info.out);
  std::size_t tensors = 0;
  for (const auto& tally : json["by_dtype"]) tensors += tally["tensors"].get<std::size_t>();
  EXPECT_GT(tensors, 0U);
  EXPECT_EQ(json["tensors"], tensors);
  EXPECT_GE(json["tokenizer"]["special_token_ids"]["fim_hole"], 0);
}

TEST_F(ModelCommand, LogitsAndSessionAgreeOnTheNextToken) {
  std::ofstream(dir_ / "ids.json") << "[0,5,6,7]";
  const auto logits = run("logits" + model_ + " --ids '" + (dir_ / "ids.json").string() +
                          "' --out '" + (dir_ / "out").string() + "' --numerics fast");
  ASSERT_EQ(logits.code, 0) << errors();
  const auto vocab = fs::file_size(dir_ / "out") / 4 / sizeof(float);
  std::vector<float> last(vocab);
  std::ifstream in(dir_ / "out", std::ios::binary);
  in.seekg(static_cast<std::streamoff>(3 * vocab * sizeof(float)));
  in.read(reinterpret_cast<char*>(last.data()), static_cast<std::streamsize>(vocab * 4));
  ASSERT_TRUE(in);
  const auto best = std::max_element(last.begin(), last.end()) - last.begin();
  const auto answer = run("session" + model_, "{\"ids\":[0,5,6,7],\"predict\":2,\"logprobs\":1}\n");
  ASSERT_EQ(answer.code, 0) << errors();
  EXPECT_EQ(nlohmann::json::parse(answer.out)["logprobs"][0][0][0], best) << answer.out;
}

TEST_F(ModelCommand, SaysInOneLineWhatIsWrong) {
  for (const auto& [words, input] : std::initializer_list<std::pair<std::string, std::string>>{
           {"nonsense", ""},
           {"render", "{"},
           {"detokenize" + model_, "[-1]"},
           {"detokenize" + model_, "{}"},
           {"logits" + model_, ""},
           {"tokenize --file /nonexistent" + model_, ""}}) {
    const auto outcome = run(words, input);
    EXPECT_EQ(outcome.code, 2) << words;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(errors(), "");
  }
  EXPECT_EQ(run("info --model /nonexistent").code, 3);
  EXPECT_NE(errors().find("there is no model at /nonexistent; --model takes a folder"),
            std::string::npos);
  EXPECT_EQ(run("convert /nonexistent /tmp/nothing.gguf").code, 2);
  EXPECT_NE(errors().find("there is no checkpoint at /nonexistent"), std::string::npos);
  EXPECT_EQ(run("info --model /usr/bin").code, 2);
  EXPECT_NE(errors().find("/usr/bin is no checkpoint"), std::string::npos);
}

}  // namespace
}  // namespace ambit::daemon
