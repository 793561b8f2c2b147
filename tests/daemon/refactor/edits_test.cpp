#include "daemon/assists/refactor/edits.h"

#include <gtest/gtest.h>

namespace ambit::daemon {
namespace {

TextEdit edit(std::uint32_t begin, std::uint32_t end, std::string text) {
  return {{begin, end}, std::move(text), 0};
}

TEST(Edits, ApplyInAnyOrder) {
  std::vector<TextEdit> edits{edit(4, 5, "E"), edit(0, 1, "AA"), edit(2, 2, "+")};
  EXPECT_EQ(apply_edits("abcdef", edits).value(), "AAb+cdEf");
}

TEST(Edits, RefuseOverlapRangeAndHalfCharacters) {
  const auto refused = [](std::string_view text, std::vector<TextEdit> edits) {
    EXPECT_FALSE(apply_edits(text, edits));
  };
  refused("abc", {edit(0, 2, "x"), edit(1, 3, "y")});
  refused("abc", {edit(1, 1, "x"), edit(1, 1, "y")});
  refused("abc", {edit(2, 4, "x")});
  refused("abc", {edit(2, 1, "x")});
  refused("a\xC3\xA9z", {edit(2, 3, "x")});
  std::vector<TextEdit> touching{edit(0, 1, "x"), edit(1, 2, "y")};
  EXPECT_EQ(apply_edits("abc", touching).value(), "xyc");
}

TEST(Edits, KeepLineEnds) {
  EXPECT_EQ(line_end_of("a\r\nb\r\nc\n"), "\r\n");
  EXPECT_EQ(line_end_of("a"), "\n");
  EXPECT_EQ(with_line_ends("a\nb\r\nc", "\r\n"), "a\r\nb\r\nc");
  EXPECT_EQ(with_line_ends("a\r\nb\n", "\n"), "a\nb\n");
}

TEST(Edits, NeverMoreSyntaxErrorsThanBefore) {
  FileChange c{"a.cpp", "int f() { return 1; }\n", "int f() { return 2; }\n", 0644};
  EXPECT_TRUE(check_syntax(c));
  c.after = "int f() { return 2; \n";
  EXPECT_FALSE(check_syntax(c));
  c.before = "int f( { {{ return 1; \n";  // broken before: no worse is fine
  c.after = "int g( { {{ return 1; \n";
  EXPECT_TRUE(check_syntax(c));
  c = {"notes.txt", "((((", "((((((", 0644};
  EXPECT_TRUE(check_syntax(c));
}

TEST(Edits, PrintOneUnifiedDiff) {
  ChangeSet set;
  set["b.txt"] = {"b.txt", std::nullopt, "new\n", 0644};
  set["a.txt"] = {"a.txt", "1\n2\n", "1\nzwei\n", 0644};
  set["c.txt"] = {"c.txt", "c\n", std::nullopt, 0644};
  const auto diff = unified_diff_of(set).value();
  EXPECT_NE(diff.find("--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n 1\n-2\n+zwei\n"),
            std::string::npos)
      << diff;
  EXPECT_NE(diff.find("--- /dev/null\n+++ b/b.txt\n"), std::string::npos) << diff;
  EXPECT_NE(diff.find("+++ /dev/null\n"), std::string::npos) << diff;
}

}  // namespace
}  // namespace ambit::daemon
