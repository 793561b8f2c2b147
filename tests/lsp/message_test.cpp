#include "lsp/message.h"

#include <gtest/gtest.h>

namespace ambit::lsp {
namespace {

// The error that a body earns, or 0 for a good message.
int code_of(std::string_view body) {
  const auto r = decode_message(body);
  const auto* bad = std::get_if<MalformedMessage>(&r);
  return bad ? static_cast<int>(bad->error.code) : 0;
}

TEST(Message, IdsKeepTheirType) {
  for (const std::string id : {"7", "-1", "\"7\"", "2147483648", "\"a\\\"b\""}) {
    const auto r = decode_message(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"m"})");
    ASSERT_TRUE(std::holds_alternative<Message>(r)) << id;
    const auto& request = std::get<Request>(std::get<Message>(r));
    EXPECT_EQ(to_string(request.id), id);
    EXPECT_EQ(encode_result(request.id, {}),
              R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":null})");
  }
}

TEST(Message, MalformedBodiesGetTheErrorThatTheSpecNames) {
  EXPECT_EQ(code_of("{"), -32700);
  EXPECT_EQ(code_of(""), -32700);
  EXPECT_EQ(code_of("{\"method\":\"\xff\"}"), -32700);
  EXPECT_EQ(code_of(std::string(100000, '[')), -32700);
  EXPECT_EQ(code_of("[]"), -32600);
  EXPECT_EQ(code_of("3"), -32600);
  EXPECT_EQ(code_of(R"({"jsonrpc":"1.0","id":1,"method":"m"})"), -32600);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1})"), -32600);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":5})"), -32600);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1.5,"method":"m"})"), -32600);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":null,"method":"m"})"), -32600);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"m","params":3})"), -32602);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"m","params":null})"), 0);
}

TEST(Message, ReadsRepliesAndTheirErrors) {
  const auto r =
      decode_message(R"({"jsonrpc":"2.0","id":4,"error":{"code":-32800,"message":"x"}})");
  const auto& reply = std::get<Response>(std::get<Message>(r));
  ASSERT_TRUE(reply.error);
  EXPECT_EQ(reply.error->code, ErrorCode::kRequestCancelled);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":4,"result":null,"error":null})"), 0);
}

TEST(Message, ALoneSurrogateBecomesTheReplacementCharacter) {
  const auto one = Json::parse(R"(["a\ud83d","\\ud83d","\ud83d\ude00","\ude00"])");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->dump(), "[\"a\uFFFD\",\"\\\\ud83d\",\"\U0001F600\",\"\uFFFD\"]");
}

}  // namespace
}  // namespace ambit::lsp
