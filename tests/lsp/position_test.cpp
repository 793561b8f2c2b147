#include "lsp/position.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace ambit::lsp {
namespace {

constexpr PositionEncoding kAll[] = {PositionEncoding::kUtf8, PositionEncoding::kUtf16,
                                     PositionEncoding::kUtf32};

// Whether `s` is one whole well-formed character, by decoding and encoding it again.
bool well_formed(std::string_view s) {
  const auto b = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(s[i]));
  };
  if (s.size() == 1) return b(0) < 0x80;
  std::uint32_t value = s.size() == 2 ? b(0) & 0x1F : s.size() == 3 ? b(0) & 0x0F : b(0) & 0x07;
  const std::uint32_t mark = s.size() == 2 ? 0xC0 : s.size() == 3 ? 0xE0 : 0xF0;
  if ((b(0) & ~(s.size() == 2 ? 0x1FU : s.size() == 3 ? 0x0FU : 0x07U)) != mark) return false;
  for (std::size_t i = 1; i < s.size(); ++i) {
    if ((b(i) & 0xC0) != 0x80) return false;
    value = value << 6 | (b(i) & 0x3F);
  }
  const std::uint32_t least = s.size() == 2 ? 0x80 : s.size() == 3 ? 0x800 : 0x10000;
  return value >= least && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

// Independent of the code under test: a sequence is the longest prefix that some suffix of up to
// three continuation bytes completes.
std::size_t naive_length(std::string_view text, std::size_t at) {
  for (std::size_t n = std::min<std::size_t>(4, text.size() - at); n >= 1; --n) {
    const std::string part(text.substr(at, n));
    if (well_formed(part)) return n;
    for (int more = 1; more + n <= 4; ++more) {
      for (const char second : {'\x80', '\x8F', '\x90', '\x9F', '\xA0', '\xBF'}) {
        std::string whole = part + second;
        whole.append(static_cast<std::size_t>(more - 1), '\x80');
        if (well_formed(whole)) return n;
      }
    }
  }
  return 1;
}

LineColumn naive_position(std::string_view text, std::size_t offset, PositionEncoding encoding) {
  LineColumn p;
  for (std::size_t at = 0; at < offset;) {
    if (text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n') {
      if (offset < at + 2) return p;
      at += 2;
      p = {p.line + 1, 0};
    } else if (text[at] == '\n' || text[at] == '\r') {
      ++at;
      p = {p.line + 1, 0};
    } else {
      const auto n = naive_length(text, at);
      if (at + n > offset) return p;
      p.character += encoding == PositionEncoding::kUtf8 ? static_cast<std::uint32_t>(n)
                     : encoding == PositionEncoding::kUtf16 && n == 4 ? 2U
                                                                      : 1U;
      at += n;
    }
  }
  return p;
}

std::string random_text(std::mt19937& random, std::size_t parts) {
  static const std::string kParts[] = {"a",
                                       "bc",
                                       "\n",
                                       "\r",
                                       "\r\n",
                                       "\t",
                                       "é",
                                       "e\u0301",
                                       "中",
                                       "\U0001F600",
                                       "\U0001F468\u200D\U0001F469",
                                       "\uFEFF",
                                       "\x80",
                                       "\xC3",
                                       "\xE4\xB8",
                                       "\xF0\x9F\x98",
                                       "\xFF",
                                       "\xED\xA0\x80",
                                       "\xF4\x90",
                                       "\xC0\xAF",
                                       "\xE0\x80"};
  std::string text;
  for (std::size_t i = 0; i < parts; ++i) text += kParts[random() % std::size(kParts)];
  return text;
}

// A million in each encoding.
TEST(Position, AMillionFuzzedOffsetsAgreeWithANaiveReading) {
  std::mt19937 random(11);
  for (std::size_t checked = 0; checked < 1'000'000;) {
    const std::string text = random_text(random, random() % 40);
    const LineTable table(text);
    checked += text.size() + 1;
    for (const auto encoding : kAll) {
      for (std::size_t offset = 0; offset <= text.size(); ++offset) {
        const auto p = table.position_at(text, offset, encoding);
        ASSERT_EQ(p, naive_position(text, offset, encoding))
            << testing::PrintToString(text) << offset;
        const auto back = table.offset_at(text, p, encoding);
        ASSERT_LE(back, offset);
        ASSERT_EQ(table.position_at(text, back, encoding), p);
      }
    }
  }
}

TEST(Position, ClampsAndSnapsLeft) {
  const std::string text = "a\U0001F600b\r\nxy\rz";
  const LineTable table(text);
  const auto at = [&](std::uint32_t line, std::uint32_t character) {
    return table.offset_at(text, {line, character}, PositionEncoding::kUtf16);
  };
  EXPECT_EQ(at(0, 2), 1U);  // inside the surrogate pair
  EXPECT_EQ(at(0, 3), 5U);
  EXPECT_EQ(at(0, 2147483647), 6U);  // end of line, before \r\n
  EXPECT_EQ(at(1, 9), 10U);
  EXPECT_EQ(at(2, 0), 11U);
  EXPECT_EQ(at(99, 0), text.size());
}

TEST(Position, AnEditedTableEqualsARebuiltOne) {
  std::mt19937 random(13);
  for (int round = 0; round < 2000; ++round) {
    std::string text = random_text(random, 20);
    LineTable table(text);
    for (int i = 0; i < 20; ++i) {
      std::size_t begin = random() % (text.size() + 1);
      std::size_t end = begin + random() % (text.size() - begin + 1);
      if (random() % 2) end = std::min(end, begin + 2);
      const std::string with = random_text(random, random() % 4);
      const std::string before = text;
      text.replace(begin, end - begin, with);
      table.edit(text, begin, end, with.size());
      ASSERT_EQ(table, LineTable(text)) << testing::PrintToString(before) << begin << ' ' << end
                                        << ' ' << testing::PrintToString(with);
    }
  }
}

}  // namespace
}  // namespace ambit::lsp
