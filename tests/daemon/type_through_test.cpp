#include "daemon/assists/completion/type_through.h"

#include <gtest/gtest.h>

namespace ambit::daemon {
namespace {

std::shared_ptr<const std::string> text(const char* s) {
  return std::make_shared<const std::string>(s);
}

TEST(TypeThrough, StaysWhileItsTextIsTyped) {
  TypeThrough cache;
  cache.add(text("int x = "), 8, "sum();");
  const auto hit = cache.find("int x = su", 10);
  ASSERT_TRUE(hit);
  EXPECT_EQ(hit->rest, "m();");
  EXPECT_FALSE(hit->first);
  EXPECT_FALSE(cache.find("int x = sa", 10));
  EXPECT_FALSE(cache.find("int x = sum();", 14)) << "nothing is left of it";
  EXPECT_FALSE(cache.find("int y = su", 10)) << "another line";
}

TEST(TypeThrough, AnItemMadeAheadWaitsForItsStateOfTheDocument) {
  TypeThrough cache;
  cache.add(text("x = "), 4, "alpha");
  cache.add(text("x = b"), 5, "eta", true);
  cache.add(text("x = alpha"), 9, " + gamma", true);
  // What is shown does not grow because more is known by now.
  EXPECT_EQ(cache.find("x = al", 6)->rest, "pha");
  // Another key than the shown item's: what was made for it.
  const auto other = cache.find("x = b", 5);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->rest, "eta");
  EXPECT_TRUE(other->first);
  EXPECT_FALSE(cache.find("x = b", 5)->first) << "it is shown by now";
  EXPECT_EQ(cache.find("x = bet", 7)->rest, "a");
  // The shown item was accepted.
  EXPECT_EQ(cache.find("x = alpha", 9)->rest, " + gamma");
}

TEST(TypeThrough, CloserThatTheEditorAddedIsReplaced) {
  TypeThrough cache;
  cache.add(text("f"), 1, "oo(a)");
  const auto hit = cache.find("foo()", 4);
  ASSERT_TRUE(hit);
  EXPECT_EQ(hit->rest, "a)");
  EXPECT_EQ(hit->replace_after, 1U);
}

}  // namespace
}  // namespace ambit::daemon
