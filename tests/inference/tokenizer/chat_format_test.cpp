// Conversations and completions of DeepSeek-V4 as the encoder released with it renders and parses
// them (../shared/golden/tokenizer, described in its README), and what no golden case covers.
#include "inference/tokenizer/chat_format.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::ordered_json;

const std::filesystem::path kGolden =
    std::filesystem::path(AMBIT_SOURCE_DIR) / "../shared/golden/tokenizer";

std::string render(const std::string& request, EffortTiers tiers = EffortTiers::kFirstRelease) {
  const auto text = render_chat(request, tiers);
  return text ? *text : "error: " + text.error().message;
}

TEST(ChatFormat, RendersEveryGoldenConversation) {
  std::ifstream in(kGolden / "chat.jsonl");
  if (!in) GTEST_SKIP() << "no golden conversations in " << kGolden;
  const auto tokenizer = Tokenizer::load(kGolden / "tokenizer.json");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  int n = 0;
  for (std::string line; std::getline(in, line); ++n) {
    const Json c = Json::parse(line);
    const auto text = render(line);
    ASSERT_EQ(text, c["prompt"].get<std::string>()) << "line " << n + 1;
    EXPECT_EQ((*tokenizer)->encode_with_special(text), c["ids"].get<std::vector<TokenId>>());
  }
  EXPECT_EQ(n, 80);
}

TEST(ChatFormat, ParsesEveryGoldenCompletion) {
  std::ifstream in(kGolden / "parse.jsonl");
  if (!in) GTEST_SKIP() << "no golden completions in " << kGolden;
  int n = 0;
  for (std::string line; std::getline(in, line); ++n) {
    const Json c = Json::parse(line);
    const auto reply =
        parse_reply(c["text"].get<std::string>(),
                    c["thinking_mode"] == "chat" ? ThinkingMode::kChat : ThinkingMode::kThinking);
    const Json& want = c["parsed"];
    EXPECT_FALSE(reply.truncated);
    EXPECT_EQ(reply.content, want["content"].get<std::string>());
    EXPECT_EQ(reply.reasoning, want["reasoning_content"].get<std::string>());
    ASSERT_EQ(reply.tool_calls.size(), want["tool_calls"].size()) << "line " << n + 1;
    for (std::size_t i = 0; i < reply.tool_calls.size(); ++i) {
      const Json& function = want["tool_calls"][i]["function"];
      EXPECT_EQ(reply.tool_calls[i].name, function["name"].get<std::string>());
      EXPECT_EQ(reply.tool_calls[i].arguments, function["arguments"].get<std::string>());
    }
  }
  EXPECT_EQ(n, 79);
}

TEST(ChatFormat, EffortTiersMovedWithTheCheckpointsOf0731) {
  const auto with = [](const char* effort, const char* mode, EffortTiers tiers) {
    return render(R"({"messages": [{"role": "user", "content": "Hi"}], "thinking_mode": ")" +
                      std::string(mode) + R"(", "reasoning_effort": ")" + effort + "\"}",
                  tiers);
  };
  const std::string plain = "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜><think>";
  const auto first = EffortTiers::kFirstRelease;
  const auto later = EffortTiers::kSince0731;
  EXPECT_EQ(with("low", "thinking", first), plain);
  EXPECT_EQ(with("low", "thinking", later), plain);
  EXPECT_EQ(with("high", "thinking", first), plain);
  EXPECT_EQ(with("max", "thinking", first), with("high", "thinking", later));
  EXPECT_EQ(with("max", "thinking", first).size(), plain.size() + 476);
  EXPECT_EQ(with("max", "thinking", later).size(), plain.size() + 528);
  EXPECT_EQ(with("max", "chat", later).find("Reasoning Effort"), std::string::npos);
  EXPECT_EQ(with("most", "chat", first).substr(0, 36), "error: chat: reasoning_effort is low");
}

TEST(ChatFormat, RendersFillInTheMiddle) {
  EXPECT_EQ(render(R"({"fim": {"prefix": "int a", "suffix": ";\n"}})"),
            "<｜begin▁of▁sentence｜><｜fim▁begin｜>int a<｜fim▁hole｜>;\n<｜fim▁end｜>");
}

TEST(ChatFormat, WritesNumbersAsPythonDoes) {
  const auto text = render(
      R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments":
        {"v": [1.0, 1e16, 123456789012345680.0, 0.0001, 1e-5, -0.0, 100000, 1e15]}}}]}]})");
  EXPECT_NE(text.find("[1.0, 1e+16, 1.2345678901234568e+17, 0.0001, 1e-05, -0.0, 100000, "
                      "1000000000000000.0]"),
            std::string::npos)
      << text;
}

TEST(ChatFormat, SaysWhatIsWrongInOneLine) {
  const std::string deep(100000, '[');
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), std::string("{}"), deep,
        std::string(R"({"messages": [3]})"), std::string(R"({"fim": 1})"),
        std::string(R"({"messages": [{"role": "wizard"}]})"),
        std::string(R"({"messages": [{"role": "user", "content": 1}]})"),
        std::string(R"({"messages": [{"role": "user", "task": "nap"}]})"),
        std::string(R"({"messages": [{"role": "assistant", "tool_calls": [{}]}]})")}) {
    const auto text = render_chat(bad);
    ASSERT_FALSE(text) << bad.substr(0, 60);
    EXPECT_EQ(text.error().code, Code::kInvalidArgument);
    EXPECT_EQ(text.error().message.find('\n'), std::string::npos);
  }
}

TEST(ChatReply, KeepsWholeCallsOfATruncatedCompletion) {
  const std::string text =
      "go\n\n<｜DSML｜tool_calls>\n\n  <｜DSML｜invoke name=\"f\" >"
      "<｜DSML｜parameter name=\"a\"  string=\"false\"> 1 </｜DSML｜parameter>"
      "<｜DSML｜parameter name=\"b\" string=\"false\">no json</｜DSML｜parameter>"
      "</｜DSML｜invoke>";
  const auto reply = parse_reply(text + "<｜DSML｜invoke name=\"g\">", ThinkingMode::kChat);
  EXPECT_TRUE(reply.truncated);
  EXPECT_EQ(reply.content, "go");
  ASSERT_EQ(reply.tool_calls.size(), 1U);
  EXPECT_EQ(reply.tool_calls[0].arguments, R"({"a": 1, "b": "no json"})");
  EXPECT_FALSE(parse_reply(text + "</｜DSML｜tool_calls>", ThinkingMode::kChat).truncated);
  // However it is cut, no call is made up and nothing is read past the end.
  for (std::size_t n = 0; n <= text.size(); ++n) {
    EXPECT_LE(parse_reply(text.substr(0, n), ThinkingMode::kChat).tool_calls.size(),
              n == text.size() ? 1U : 0U);
    EXPECT_TRUE(parse_reply(text.substr(0, n), ThinkingMode::kThinking).truncated);
  }
}

}  // namespace
}  // namespace ambit::inference
