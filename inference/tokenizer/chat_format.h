// Conversations as DeepSeek-V4 reads and writes them: messages to prompt text, and a completion
// back to reasoning, answer and tool calls. Byte-exact with the encoder released with the model.
//
// The prompt text holds special tokens as text: encode it with Tokenizer::encode_with_special. A
// caller that puts untrusted text in a message and needs it kept apart from markup encodes the
// pieces itself (as the completion prompts do). All functions are pure and may run on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::inference {

enum class ThinkingMode : std::uint8_t { kChat, kThinking };

// What the words high and max mean: the checkpoints since 0731 moved the tiers by one. Low (also
// minimal, medium) never has a prefix; the prefix is used in thinking mode only.
enum class EffortTiers : std::uint8_t {
  kFirstRelease,  // high: none; max (also xhigh): "Absolute maximum"
  kSince0731,     // high (also xhigh): "Absolute maximum"; max: "Beyond maximum"
};

// Renders one JSON object:
//   {"messages": [{"role": "system" | "user" | "assistant" | "tool" | "developer" |
//      "latest_reminder", "content"?, "reasoning_content"?, "tools"?, "response_format"?,
//      "tool_calls"?: [{"id"?, "function": {"name", "arguments": JSON text}}], "tool_call_id"?,
//      "task"?: "action" | "query" | "authority" | "domain" | "title" | "read_url",
//      "wo_eos"?: true}],
//    "thinking_mode"?: "chat" (default) | "thinking",
//    "reasoning_effort"?: null | "low" | "medium" | "minimal" | "high" | "xhigh" | "max",
//    "drop_thinking"?: true (default) | false}
// or {"fim": {"prefix", "suffix"}}. Tool results follow the order of the calls before them, and
// neighbouring tool and user messages become one user turn. Reasoning before the last user turn is
// left out with drop_thinking, unless a message declares tools. kInvalidArgument names what is
// wrong.
[[nodiscard]] Result<std::string> render_chat(std::string_view request_json,
                                              EffortTiers tiers = EffortTiers::kFirstRelease);

// Fill-in-the-middle: the model answers with what belongs between prefix and suffix.
[[nodiscard]] std::string render_fim(std::string_view prefix, std::string_view suffix);

struct ToolCall {
  std::string name;
  std::string arguments;  // a JSON object, in the order that the model wrote
};

struct Reply {
  std::string reasoning;
  std::string content;
  std::vector<ToolCall> tool_calls;
  // The text stopped inside the reasoning or a tool call; whole calls before that are kept.
  bool truncated = false;
};

// A completion: the text after the prompt's think marker, with or without the end-of-sentence
// token. Accepts other white space than the model was trained to write between the tool call tags.
// A parameter that says it is JSON and is not is kept as a string.
[[nodiscard]] Reply parse_reply(std::string_view text, ThinkingMode mode);

}  // namespace ambit::inference
