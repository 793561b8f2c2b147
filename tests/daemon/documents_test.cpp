// Incremental sync gives the text that full sync would, in every encoding, over random edits of
// text that is as bad as text can be.
#include "daemon/session/documents.h"

#include <gtest/gtest.h>

#include <random>

namespace ambit::daemon {
namespace {

constexpr PositionEncoding kAll[] = {PositionEncoding::kUtf8, PositionEncoding::kUtf16,
                                     PositionEncoding::kUtf32};

std::string random_text(std::mt19937& random, std::size_t parts) {
  static const std::string kParts[] = {
      "a",      "bc",       "\n",           "\r",       "\r\n",
      "é",      "e\u0301",  "\U0001F600",   "\uFEFF",   "\x80",
      "\xC3",   "\xE4\xB8", "\xF0\x9F\x98", "\xFF",     "\xED\xA0\x80",
      "    x;", "\t",       "\xF4\x90",     "\xC0\xAF", "\u4E2D"};
  std::string text;
  for (std::size_t i = 0; i < parts; ++i) text += kParts[random() % std::size(kParts)];
  return text;
}

TEST(Documents, IncrementalSyncEqualsFullText) {
  std::mt19937 random(17);
  for (const auto encoding : kAll) {
    for (int round = 0; round < 300; ++round) {
      std::string full = random_text(random, random() % 60);
      Documents documents;
      documents.open("file:///a", "c", 1, full);
      for (int edit = 0; edit < 40; ++edit) {
        // What an editor does: it knows offsets in its text and sends their positions. A position
        // can only name the start of a character, so those are what it edits at.
        const auto snap = [&](std::size_t offset) {
          const auto p = position_at(full, offset, encoding);
          return std::pair(p, offset_at(full, p, encoding));
        };
        auto a = snap(random() % (full.size() + 1)), b = snap(random() % (full.size() + 1));
        if (a.second > b.second) std::swap(a, b);
        if (random() % 3 == 0) b = a;                                 // an insertion
        if (random() % 16 == 0) b = {{b.first.line, 2147483647}, 0};  // "the end of the line"
        if (b.second == 0) b.second = offset_at(full, b.first, encoding);
        const auto with = random_text(random, random() % 4);
        Document* document = documents.find("file:///a");
        ASSERT_NE(document, nullptr);
        documents.replace(*document, a.first, b.first, with, encoding);
        full.replace(a.second, b.second - a.second, with);
        ASSERT_EQ(*document->text, full);
        ASSERT_EQ(document->lines, lsp::LineTable(full)) << testing::PrintToString(full);
      }
    }
  }
}

TEST(Documents, ARangeThatIsTheWrongWayRoundInserts) {
  Documents documents;
  documents.open("u", "c", 1, "abc");
  documents.replace(*documents.find("u"), {0, 2}, {0, 1}, "X", PositionEncoding::kUtf8);
  EXPECT_EQ(*documents.find("u")->text, "abXc");
}

}  // namespace
}  // namespace ambit::daemon
