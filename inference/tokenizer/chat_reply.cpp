#include <nlohmann/json.hpp>
#include <optional>

#include "inference/tokenizer/chat_format.h"
#include "inference/tokenizer/chat_json.h"
#include "inference/tokenizer/chat_text.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::ordered_json;
using namespace chat_text;

constexpr std::string_view kSpace = " \t\r\n";

// Reads a completion from its front.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  void skip_space() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kSpace), rest_.size()));
  }
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  // What comes before the token, which is taken too.
  std::optional<std::string_view> until(std::string_view token) {
    const auto at = rest_.find(token);
    if (at == std::string_view::npos) return std::nullopt;
    const auto before = rest_.substr(0, at);
    rest_.remove_prefix(at + token.size());
    return before;
  }

 private:
  std::string_view rest_;
};

std::string quoted(std::string_view text) {
  return dump_spaced(Json(text));
}

// A parameter that is not declared a string is JSON as the model wrote it.
std::string value_of(std::string_view text, bool is_string) {
  if (is_string || !Json::accept(text)) return quoted(text);
  const auto first = text.find_first_not_of(kSpace);
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

// A parameter after its opening: NAME" string="true">VALUE</…>, as a member of a JSON object.
std::optional<std::string> read_parameter(Reader& in) {
  const auto name = in.until("\"");
  if (!name) return std::nullopt;
  in.skip_space();
  if (!in.take("string=\"")) return std::nullopt;
  const auto kind = in.until("\"");
  in.skip_space();
  if (!kind || !in.take(">")) return std::nullopt;
  const auto text = in.until(kParameterClose);
  if (!text) return std::nullopt;
  return quoted(*name) + ": " + value_of(*text, *kind != "false");
}

// A call after its opening: NAME"> parameters </…>.
std::optional<ToolCall> read_call(Reader& in) {
  const auto name = in.until("\"");
  in.skip_space();
  if (!name || !in.take(">")) return std::nullopt;
  ToolCall call{.name = std::string(*name), .arguments = "{"};
  const char* separator = "";
  for (;;) {
    in.skip_space();
    if (in.take(kInvokeClose)) break;
    if (!in.take(kParameterOpen)) return std::nullopt;
    const auto member = read_parameter(in);
    if (!member) return std::nullopt;
    call.arguments += separator + *member;
    separator = ", ";
  }
  call.arguments += "}";
  return call;
}

void read_calls(Reader in, Reply& reply) {
  for (;;) {
    in.skip_space();
    if (in.take(kCallsClose)) return;
    auto call = in.take(kInvokeOpen) ? read_call(in) : std::nullopt;
    if (!call) {
      reply.truncated = true;
      return;
    }
    reply.tool_calls.push_back(std::move(*call));
  }
}

}  // namespace

Reply parse_reply(std::string_view text, ThinkingMode mode) {
  Reply reply;
  text = text.substr(0, text.find(kEos));
  if (mode == ThinkingMode::kThinking) {
    const auto end = text.find(kEndThink);
    reply.reasoning = text.substr(0, end);
    if (end == std::string_view::npos) {
      reply.truncated = true;
      return reply;
    }
    text.remove_prefix(end + kEndThink.size());
  }
  const auto calls = text.find(kCallsOpen);
  std::string_view content = text.substr(0, calls);
  if (calls != std::string_view::npos) {
    // The blank line before the calls is theirs; further white space is the answer's.
    for (int i = 0; i < 2 && content.ends_with('\n'); ++i) content.remove_suffix(1);
    read_calls(Reader(text.substr(calls + kCallsOpen.size())), reply);
  }
  reply.content = content;
  return reply;
}

}  // namespace ambit::inference
