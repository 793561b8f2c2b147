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

}  // namespace
}  // namespace ambit::daemon
