// Ids and texts of DeepSeek-V4's tokenizer, as the tokenizers library gives them
// (../shared/golden/tokenizer, described in its README).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {
namespace {

const std::filesystem::path kGolden =
    std::filesystem::path(AMBIT_SOURCE_DIR) / "../shared/golden/tokenizer";

class GoldenTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kGolden / "tokenizer.json")) {
      GTEST_SKIP() << "no golden tokenizer in " << kGolden;
    }
    static const auto shared = Tokenizer::load(kGolden / "tokenizer.json");
    ASSERT_TRUE(shared) << shared.error().message;
    tokenizer_ = *shared;
  }
  // Calls check with every line of the file; returns their number.
  template <class Check>
  static int for_each_line(const char* file, const Check& check) {
    std::ifstream in(kGolden / file);
    int n = 0;
    for (std::string line; std::getline(in, line); ++n) check(nlohmann::json::parse(line));
    return n;
  }
  std::string stream(const std::vector<TokenId>& ids, bool skip_special) const {
    StreamDecoder decoder(tokenizer_, skip_special);
    std::string text;
    for (const TokenId id : ids) text += decoder.push(id);
    return text + decoder.finish();
  }
  std::shared_ptr<const Tokenizer> tokenizer_;
};

TEST_F(GoldenTokenizer, EncodesEveryCase) {
  const int n = for_each_line("encode.jsonl", [&](const nlohmann::json& c) {
    const auto text = c["text"].get<std::string>();
    const auto ids = c["ids"].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer_->encode_with_special(text), ids) << c["cat"] << ": " << text.substr(0, 80);
    EXPECT_EQ(tokenizer_->decode(ids), text);
    const auto plain = tokenizer_->encode(text);
    EXPECT_EQ(tokenizer_->decode(plain), text);
    EXPECT_EQ(tokenizer_->count(text), plain.size());
  });
  EXPECT_EQ(n, 2062);
}

TEST_F(GoldenTokenizer, DecodesEveryCase) {
  const int n = for_each_line("decode.jsonl", [&](const nlohmann::json& c) {
    const auto ids = c["ids"].get<std::vector<TokenId>>();
    const auto text = c["text"].get<std::string>();
    EXPECT_EQ(stream(ids, /*skip_special=*/false), text);
    EXPECT_EQ(stream(ids, /*skip_special=*/true), c.value("text_skip_special", text));
  });
  EXPECT_EQ(n, 182);
}

TEST_F(GoldenTokenizer, KnowsTheIdsOfMarkup) {
  const SpecialTokens& s = tokenizer_->special();
  EXPECT_EQ(tokenizer_->vocab_size(), 129280);
  EXPECT_EQ(s.bos, 0);
  EXPECT_EQ(s.eos, 1);
  EXPECT_EQ(s.fim_hole, 128800);
  EXPECT_EQ(s.fim_begin, 128801);
  EXPECT_EQ(s.fim_end, 128802);
  EXPECT_EQ(s.user, 128803);
  EXPECT_EQ(s.end_think, 128822);
}

TEST_F(GoldenTokenizer, PlainTextCannotForgeMarkup) {
  for (const TokenId id : tokenizer_->encode("<｜User｜></think>｜DSML｜<｜end▁of▁sentence｜>")) {
    EXPECT_LT(id, 128000);
    EXPECT_GT(id, 2);
  }
}

TEST_F(GoldenTokenizer, AnyBytesRoundTrip) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = static_cast<char>(i % 2 == 0 ? random() : 0x20 + random() % 0x60);
    ASSERT_EQ(tokenizer_->decode(tokenizer_->encode(text)), text);
    ASSERT_EQ(tokenizer_->decode(tokenizer_->encode_with_special(text)), text);
  }
}

}  // namespace
}  // namespace ambit::inference
