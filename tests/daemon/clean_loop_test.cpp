#include <gtest/gtest.h>

#include "daemon/assists/completion/clean.h"

namespace ambit::daemon {
namespace {

Cleaned clean(std::string_view before, std::string_view after, std::string_view raw) {
  return Cleaner("a.c", before, after, {}).clean(raw, false);
}

TEST(Cleaner, AModelThatRepeatsItselfIsStoppedAndNotShown) {
  for (const std::string_view loop :
       {"0x0x0x0x0x0x0x0x0x0x0x0x0x0x0x", "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0"}) {
    const auto c = clean("int main() {\n  int n = ", "\n}\n", loop);
    EXPECT_EQ(c.text, "") << loop;
    EXPECT_EQ(c.reason, "the model repeats itself");
    EXPECT_TRUE(c.complete);
  }
}

TEST(Cleaner, LinesBeforeTheLoopAreKept) {
  const auto c = clean("void f() {\n", "\n}\n", "  a();\n  b(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1");
  EXPECT_EQ(c.text, "  a();");
  EXPECT_TRUE(c.complete);
}

TEST(Cleaner, RulesAndOrdinaryCodeAreNoLoops) {
  EXPECT_EQ(clean("int f() {\n  int n = ", "\n}\n", "compute(a, b, c, d);\n").text,
            "compute(a, b, c, d);");
  const std::string rule = "// ----------------------------------------\n";
  EXPECT_NE(clean("", "\n", rule).text, "");
}

}  // namespace
}  // namespace ambit::daemon
