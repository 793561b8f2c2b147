#include "daemon/assists/completion/check.h"

#include <gtest/gtest.h>

#include "tests/indexer/temp_repo.h"

namespace ambit::daemon {
namespace {

class ItemCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    repo_.write("far.c", "int far_away(int count) {\n  return count;\n}\n");
    repo_.write("a.c", "");
    repo_.write("b.py", "");
    auto index = indexer::RepoIndex::open(repo_.path(), {});
    ASSERT_TRUE(index) << index.error().message;
    ASSERT_TRUE((*index)->update());
    snapshot_ = (*index)->snapshot();
  }

  [[nodiscard]] ItemCheck::Verdict check(std::string_view item, double logprob = 0) const {
    return ItemCheck(snapshot_, "a.c", "int work(int count) {\n  int near = 1;\n  ",
                     "\n  return near;\n}\n")
        .check(item, logprob);
  }

  indexer::TempRepo repo_;
  std::shared_ptr<const indexer::Snapshot> snapshot_;
};

TEST_F(ItemCheckTest, WhatAddsGrammarErrorsIsNotShown) {
  EXPECT_EQ(check("near = far_away(count);").text, "near = far_away(count);");
  EXPECT_EQ(check("near = far_away(];").reason, "the suggestion would not parse here");
  EXPECT_EQ(check("} else {").text, "");
}

TEST_F(ItemCheckTest, ABlockThatIsBegunIsClosedOrNotBegun) {
  const auto line = [&](const std::string& path, const std::string& before, std::string_view item,
                        const std::string& after = "") {
    return ItemCheck(snapshot_, path, before, after).check(item, 0).text;
  };
  const std::string function = "int sum(int n) {\n  int s = 0;\n  ", rest = "\n  return s;\n}\n";
  const std::string_view header = "int i = 0; i < n; ++i) {";
  EXPECT_EQ(line("a.c", function + "for (", header, "\n    s += i;\n  }" + rest), header)
      << "its end stands there";
  EXPECT_EQ(line("a.c", function, "for (;;) {", rest), "") << "it stands nowhere";
  EXPECT_EQ(line("a.c", function, "for (;;) {\n    ++s;", rest), "for (;;) {\n    ++s;\n  }");
  EXPECT_EQ(line("a.c", function, "if (n) {\n    do {\n      ++s;", rest), "")
      << "a do has no while";
  EXPECT_EQ(line("a.c", function, "if (n) {\n    while (s) {\n      ++s;", rest),
            "if (n) {\n    while (s) {\n      ++s;\n    }\n  }");
  EXPECT_EQ(line("b.py", "def f(x):\n    if ", "x is None:"), "x is None:");
  EXPECT_EQ(line("b.py", "y = 1\n", "call(1"), "") << "cut off between its arguments";
}

TEST_F(ItemCheckTest, LinesGoUntilItFits) {
  EXPECT_EQ(check("near = 2;\n  far_away(2);\n  if ]] near").text, "near = 2;\n  far_away(2);");
}

TEST_F(ItemCheckTest, AnUnsureItemCallsOnlyWhatExists) {
  EXPECT_EQ(check("far_off(count);", -2).reason, "the suggestion calls what exists nowhere");
  EXPECT_EQ(check("far_off(count);", -0.1).text, "far_off(count);") << "it may be a library's";
  EXPECT_EQ(check("far_away(count);", -2).text, "far_away(count);") << "of another file";
  EXPECT_EQ(check("work(near);", -2).text, "work(near);") << "of this file";
  EXPECT_EQ(check("sizeof(near);", -2).text, "sizeof(near);");
}

}  // namespace
}  // namespace ambit::daemon
