#include <gtest/gtest.h>

#include "daemon/assists/completion/prompt.h"

namespace ambit::daemon {
namespace {

// Every size of window over lines with characters of one to four bytes, and over one long line.
TEST(PromptWindow, StaysWithinItsBytesAndNeverCutsACharacter) {
  const auto starts_character = [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  };
  for (const std::string text :
       {"one\ntwo é\n三\n🙂 four\nlast", "é三🙂é三🙂é三🙂é三🙂é三🙂"}) {
    for (std::size_t bytes = 0; bytes <= text.size() + 1; ++bytes) {
      const auto after = window_after(text, bytes);
      EXPECT_LE(after.size(), bytes);
      EXPECT_EQ(after, text.substr(0, after.size()));
      if (after.size() < text.size()) {
        EXPECT_TRUE(starts_character(text[after.size()])) << bytes;
      }
      const auto before = window_before(text, bytes);
      EXPECT_LE(before.size(), bytes);
      EXPECT_TRUE(text.ends_with(before));
      if (!before.empty()) {
        EXPECT_TRUE(starts_character(before.front())) << bytes;
      }
    }
  }
}

TEST(TokenHealing, TakesTheTokenThatTheWordMayGoOnFrom) {
  const auto loaded =
      inference::Tokenizer::load(AMBIT_SOURCE_DIR "/inference/nano/model/tokenizer.json");
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto& tokenizer = **loaded;
  for (const std::string text : {"  retur", "x = sel", "y = a.b", "größ"}) {
    auto ids = tokenizer.encode(text);
    const auto half = take_half_word(tokenizer, text, ids);
    EXPECT_FALSE(half.empty()) << text;
    std::string all;
    for (const auto id : ids) all += tokenizer.token_bytes(id);
    EXPECT_EQ(all + half, text);
  }
  for (const std::string text : {"return ", "f(", "", "x", "a;\n"}) {
    auto ids = tokenizer.encode(text);
    const auto before = ids;
    EXPECT_EQ(take_half_word(tokenizer, text, ids), "") << text;
    EXPECT_EQ(ids, before);
  }
}

TEST(LastWord, IsWhereTokensEndWhateverFollows) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"    return", " fo"}, {"x =", " "},     {"foo", "("},  {"foo", "(a"}, {"a", ".b"},
      {"self.__", "in"},     {"", "\tti"},     {"  (", "ab"}, {"", "#defi"}, {"", ""},
      {"", "    "},          {"if (x)", " {"}, {"a ", " b"},  {"::", "na"},  {"x =", " é三"},
  };
  for (const auto& [left, word] : cases) {
    const std::string line = std::string(left) + std::string(word);
    EXPECT_EQ(line.substr(last_word(line)), word) << line;
  }
  const std::string endless(49, 'a');
  EXPECT_EQ(last_word(endless), endless.size());
}

TEST(PromptForm, TheSmallerOfWindowAndWhatTheModelWasTrainedOn) {
  EXPECT_EQ((PromptForm{FimOrder::kSpm, 640}).limit(1048576), 640);
  EXPECT_EQ((PromptForm{FimOrder::kSpm, 640}).limit(512), 512);
  EXPECT_EQ((PromptForm{FimOrder::kSpm, 640}).limit(0), 640);
  EXPECT_EQ(PromptForm{}.limit(4096), 4096);
}

}  // namespace
}  // namespace ambit::daemon
