#include "inference/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

namespace ambit::inference {
namespace {

TEST(ByteTokenizer, GivesOneTokenAByteAndFindsMarkup) {
  const auto t = Tokenizer::bytes();
  EXPECT_EQ(t->encode("a\xFF"), (std::vector<TokenId>{'a', 0xFF}));
  EXPECT_EQ(t->encode_with_special("x<｜fim▁hole｜>"),
            (std::vector<TokenId>{'x', t->special().fim_hole}));
  EXPECT_GE(t->special().fim_hole, 256);
  EXPECT_EQ(t->encode("<think>").size(), 7U);
}

TEST(StreamDecoder, HoldsBackHalfACharacter) {
  StreamDecoder d(Tokenizer::bytes());
  EXPECT_EQ(d.push(0xE4), "");
  EXPECT_EQ(d.push(0xBD), "");
  EXPECT_EQ(d.push(0xA0), "你");
  EXPECT_EQ(d.push(0xE4), "");
  EXPECT_EQ(d.push('a'),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(d.push(0xE4), "");
  EXPECT_EQ(d.finish(), "\xEF\xBF\xBD");
}

TEST(TokenizerJson, SaysWhatIsWrong) {
  for (const char* bad : {"", "[]", "{}", "{\"model\":{\"type\":\"Unigram\"}}", "\xFF",
                          "{\"normalizer\":{\"type\":\"NFC\"}}"}) {
    const auto t = Tokenizer::parse(bad);
    ASSERT_FALSE(t) << bad;
    EXPECT_TRUE(t.error().message.starts_with("tokenizer.json: ")) << t.error().message;
  }
}

TEST(GgufVocabulary, RefusesMergesOfUnknownTokens) {
  const auto t = Tokenizer::from_gguf({"a", "b"}, {"a c"}, {}, "deepseek-v3");
  ASSERT_FALSE(t);
  EXPECT_EQ(t.error().code, Code::kCorrupt);
  EXPECT_FALSE(Tokenizer::from_gguf({"a"}, {}, {}, "llama-bpe"));
}

}  // namespace
}  // namespace ambit::inference
