// The bundled checkpoint in the engine against the program that trained it: same ids for the same
// text, same logits for the same ids. The expectations are written by
// inference/nano/train/export.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "inference/engine/commands.h"
#include "inference/engine/local_backend.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {
namespace {

const std::filesystem::path kModel =
    std::filesystem::path(AMBIT_SOURCE_DIR) / "inference/nano/model";
const std::filesystem::path kGolden = std::filesystem::path(AMBIT_SOURCE_DIR) / "tests/golden/nano";
constexpr std::size_t kVocab = 8192;

nlohmann::json expectations() {
  std::ifstream in(kGolden / "ids.json");
  return nlohmann::json::parse(in);
}

std::vector<float> floats(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

TEST(NanoCheckpoint, TokenizerGivesTheIdsOfTraining) {
  const auto tokenizer = Tokenizer::load(kModel / "tokenizer.json");
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  const nlohmann::json want = expectations();
  EXPECT_EQ(tokenizer.value()->encode(want["text"].get<std::string>()),
            want["text_ids"].get<std::vector<TokenId>>());
  EXPECT_GE(tokenizer.value()->special().fim_hole, 0);
}

TEST(NanoCheckpoint, EngineGivesTheLogitsOfTraining) {
  const nlohmann::json want = expectations();
  const auto ids = want["ids"].get<std::vector<TokenId>>();
  const auto rows = want["rows"].get<std::vector<std::size_t>>();
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "ambit_nano_logits";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "ids.json") << want["ids"].dump();
  LogitsCommand command;
  command.model = kModel;
  command.ids = folder / "ids.json";
  command.out = folder / "logits.f32";
  const auto done = run_logits(command);
  ASSERT_TRUE(done.has_value()) << done.error().message;

  const std::vector<float> got = floats(command.out);
  const std::vector<float> expected = floats(kGolden / "logits.f32");
  ASSERT_EQ(got.size(), ids.size() * kVocab);
  ASSERT_EQ(expected.size(), rows.size() * kVocab);
  double largest = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t v = 0; v < kVocab; ++v) {
      largest =
          std::max<double>(largest, std::abs(got[rows[r] * kVocab + v] - expected[r * kVocab + v]));
    }
  }
  EXPECT_LT(largest, 1e-3);
  std::filesystem::remove_all(folder);
}

// Bytes that a grammar forces come in the tokens that they have in any text.
TEST(NanoCheckpoint, ForcedTextIsWrittenInWholeWords) {
  const auto backend = open_local_backend(kModel, {});
  ASSERT_TRUE(backend.has_value()) << backend.error().message;
  const auto tokenizer = backend.value()->tokenizer();
  const auto answer_to = [&](GenerateRequest request) {
    std::vector<TokenId> ids;
    std::promise<void> done;
    GenerateEvents events;
    events.on_tokens = [&](auto tokens) {
      for (const auto& token : tokens) ids.push_back(token.id);
    };
    events.on_done = [&](const auto&) { done.set_value(); };
    backend.value()->submit(std::move(request), std::move(events), {});
    done.get_future().wait();
    return ids;
  };
  for (const std::string word : {" return", "static", " function"}) {
    for (std::uint64_t seed = 1; seed < 6; ++seed) {
      GenerateRequest request;
      request.prompt = tokenizer->encode("int main() {\n ");
      request.max_new_tokens = 12;
      request.sampling = {.temperature = 3.0F, .seed = seed};
      request.stop_ids = {tokenizer->special().eos};
      request.grammar = "root ::= \"" + word + "\"";
      EXPECT_EQ(answer_to(std::move(request)), tokenizer->encode(word)) << seed;
    }
  }
  // The last of some spaces belongs to the word behind them, which the grammar does not know.
  GenerateRequest request;
  request.prompt = tokenizer->encode("int main() {\n    int a = 1;\n    int b = 2;\n");
  request.max_new_tokens = 2;
  request.sampling = {.temperature = 0};
  request.grammar = "root ::= \"    \" [^\\x00]*";
  EXPECT_EQ(answer_to(std::move(request)).front(), tokenizer->encode("    a").front());
}

}  // namespace
}  // namespace ambit::inference
