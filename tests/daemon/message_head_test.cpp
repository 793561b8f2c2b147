#include "daemon/forward/message_head.h"

#include <gtest/gtest.h>

namespace ambit::daemon {
namespace {

TEST(MessageHead, ReadsIdAndMethodWhereverTheyStand) {
  const auto h = read_head(R"({"params":{"id":3,"method":"x"},"method":"a/b","id":"7"} )");
  ASSERT_TRUE(h);
  EXPECT_EQ(h->method, "a/b");
  EXPECT_EQ(h->id, "\"7\"");
  EXPECT_TRUE(h->is_request());
}

TEST(MessageHead, AnEscapedSlashIsASlash) {
  const auto h = read_head(R"({"method":"textDocument\/didOpen","params":{}})");
  ASSERT_TRUE(h);
  EXPECT_EQ(h->method, "textDocument/didOpen");
}

TEST(MessageHead, RefusesWhatIsNotOneObject) {
  for (const auto* text : {"", "[]", "7", "{", R"({"id":1)", R"({"id":1} x)", "{} {}"}) {
    EXPECT_FALSE(read_head(text)) << text;
  }
  EXPECT_TRUE(read_head("{}"));
}

}  // namespace
}  // namespace ambit::daemon
