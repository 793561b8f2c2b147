#include "inference/tokenizer/chat_format.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "inference/tokenizer/chat_json.h"
#include "inference/tokenizer/chat_text.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::ordered_json;
using namespace chat_text;

constexpr std::size_t kMaxRequestBytes = std::size_t{64} << 20U;
constexpr int kMaxDepth = 512;  // of the JSON: what walks it is recursive
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

struct Part {
  std::string text;
  bool is_result = false;
  std::string call_id{};
};

// A message after tool and user messages were joined: those have parts, the others the message.
struct Turn {
  std::string role;
  const Json* message = nullptr;
  std::vector<Part> parts{};
  std::string task{};
};

struct Options {
  bool thinking = false;
  bool drop_thinking = true;
  std::string_view effort{};  // the prefix text
};

Error invalid(std::string message) {
  return make_error(Code::kInvalidArgument, std::move(message));
}

bool too_deep(std::string_view json) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// A string member; "" when absent or null.
Result<std::string> text_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return std::string();
  if (!it->is_string()) return invalid(std::string("chat: \"") + key + "\" must be a string");
  return it->get<std::string>();
}

bool has(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && !it->is_null() && !it->empty();
}

Result<std::string> tools_block(const Json& tools) {
  if (!tools.is_array()) return invalid("chat: \"tools\" must be an array");
  std::string out(kToolsHead);
  const char* separator = "";
  for (const Json& tool : tools) {
    if (!tool.is_object()) return invalid("chat: each tool must be an object");
    const auto function = tool.find("function");
    out += separator + dump_spaced(function == tool.end() ? tool : *function);
    separator = "\n";
  }
  return out + std::string(kToolsTail);
}

// What system and developer messages add after their content.
Result<std::string> declarations(const Json& message) {
  std::string out;
  if (has(message, "tools")) {
    const auto tools = tools_block(message["tools"]);
    if (!tools) return tools.error();
    out += "\n\n" + *tools;
  }
  if (has(message, "response_format")) {
    out += "\n\n" + std::string(kResponseFormat) + dump_spaced(message["response_format"]);
  }
  return out;
}

std::string parameter(const std::string& name, const Json& value) {
  const bool text = value.is_string();
  return std::string(kParameterOpen) + name + "\" string=\"" + (text ? "true" : "false") + "\">" +
         (text ? value.get<std::string>() : dump_spaced(value)) + std::string(kParameterClose);
}

Result<std::string> calls_block(const Json& calls) {
  if (!calls.is_array()) return invalid("chat: \"tool_calls\" must be an array");
  std::string out = "\n\n" + std::string(kCallsOpen) + "\n";
  for (const Json& call : calls) {
    const auto function = call.is_object() ? call.find("function") : call.end();
    if (!call.is_object() || function == call.end() || !function->is_object()) {
      return invalid("chat: each tool call needs \"function\": {\"name\", \"arguments\"}");
    }
    const auto name = text_of(*function, "name");
    if (!name) return name.error();
    Json arguments = function->contains("arguments") ? (*function)["arguments"] : Json::object();
    if (arguments.is_string()) {
      const auto text = arguments.get<std::string>();
      if (too_deep(text)) return invalid("chat: the arguments of a tool call nest too deeply");
      arguments = Json::parse(text, nullptr, /*allow_exceptions=*/false);
      // What is not a JSON object was the model's own slip: show it as it was.
      if (!arguments.is_object()) arguments = Json{{"arguments", text}};
    }
    if (!arguments.is_object()) return invalid("chat: the arguments of a call must be an object");
    out += std::string(kInvokeOpen) + *name + "\">\n";
    const char* separator = "";
    for (const auto& [key, value] : arguments.items()) {
      out += separator + parameter(key, value);
      separator = "\n";
    }
    out += "\n" + std::string(kInvokeClose) + "\n";
  }
  return out + std::string(kCallsClose);
}

// Puts the tool results of a turn into the order of the calls; other parts keep their places.
void order_results(const Json& calls, Turn& turn) {
  std::map<std::string, std::size_t> place;
  if (calls.is_array()) {
    for (const Json& call : calls) {
      if (!call.is_object()) continue;
      const auto id = call.find("id");
      if (id != call.end() && id->is_string()) place.emplace(id->get<std::string>(), place.size());
    }
  }
  std::vector<Part> results;
  for (const Part& part : turn.parts) {
    if (part.is_result) results.push_back(part);
  }
  if (place.empty() || results.size() < 2) return;
  const auto rank = [&](const Part& part) {
    const auto it = place.find(part.call_id);
    return it == place.end() ? std::size_t{0} : it->second;
  };
  std::ranges::stable_sort(results, {}, rank);
  auto next = results.begin();
  for (Part& part : turn.parts) {
    if (part.is_result) part = *next++;
  }
}

// Joins neighbouring tool and user messages.
Result<std::vector<Turn>> turns_of(const Json& messages) {
  std::vector<Turn> turns;
  const Json* calls = nullptr;
  for (const Json& message : messages) {
    if (!message.is_object()) return invalid("chat: each message must be an object");
    const auto role = text_of(message, "role");
    const auto content = text_of(message, "content");
    const auto task = text_of(message, "task");
    const auto id = text_of(message, "tool_call_id");
    for (const auto* field : {&role, &content, &task, &id}) {
      if (!*field) return field->error();
    }
    if (*role == "tool" || *role == "user") {
      const bool joins = !turns.empty() && turns.back().role == "user" && turns.back().task.empty();
      if (!joins) turns.push_back({.role = "user", .message = &message});
      const bool result = *role == "tool";
      turns.back().parts.push_back({*content, result, *id});
      if (!result) turns.back().task = *task;
      continue;
    }
    if (*role != "system" && *role != "assistant" && *role != "developer" &&
        *role != "latest_reminder") {
      return invalid("chat: unknown role \"" + role->substr(0, 40) + "\"");
    }
    turns.push_back({.role = *role, .message = &message, .task = *task});
  }
  for (Turn& turn : turns) {
    if (turn.role == "assistant" && has(*turn.message, "tool_calls")) {
      calls = &(*turn.message)["tool_calls"];
    }
    if (turn.role == "user" && calls != nullptr) order_results(*calls, turn);
  }
  return turns;
}

std::size_t last_user(const std::vector<Turn>& turns) {
  for (std::size_t i = turns.size(); i-- > 0;) {
    if (turns[i].role == "user" || turns[i].role == "developer") return i;
  }
  return kNone;
}

Result<std::string> render_assistant(const Turn& turn, bool shows_reasoning) {
  const Json& message = *turn.message;
  std::string out;
  if (shows_reasoning) {
    const auto reasoning = text_of(message, "reasoning_content");
    if (!reasoning) return reasoning.error();
    out += *reasoning + std::string(kEndThink);
  }
  const auto content = text_of(message, "content");
  if (!content) return content.error();
  out += *content;
  if (has(message, "tool_calls")) {
    const auto calls = calls_block(message["tool_calls"]);
    if (!calls) return calls.error();
    out += *calls;
  }
  const auto open = message.find("wo_eos");
  if (open == message.end() || *open != true) out += kEos;
  return out;
}

std::string render_user(const Turn& turn) {
  std::string out(kUser);
  const char* separator = "";
  for (const Part& part : turn.parts) {
    out += separator;
    out += part.is_result ? "<tool_result>" + part.text + "</tool_result>" : part.text;
    separator = "\n\n";
  }
  return out;
}

Result<std::string> render_message(const Turn& turn, bool shows_reasoning) {
  if (turn.role == "user") return render_user(turn);
  if (turn.role == "assistant") return render_assistant(turn, shows_reasoning);
  const auto content = text_of(*turn.message, "content");
  if (!content) return content.error();
  if (turn.role == "latest_reminder") return std::string(kReminder) + *content;
  const auto declared = declarations(*turn.message);
  if (!declared) return declared.error();
  return (turn.role == "developer" ? std::string(kUser) : std::string()) + *content + *declared;
}

Result<std::string_view> task_token(const std::string& task) {
  static const std::map<std::string, std::string_view, std::less<>> kTokens = {
      {"action", "<｜action｜>"}, {"query", "<｜query｜>"}, {"authority", "<｜authority｜>"},
      {"domain", "<｜domain｜>"}, {"title", "<｜title｜>"}, {"read_url", "<｜read_url｜>"}};
  const auto it = kTokens.find(task);
  if (it == kTokens.end()) return invalid("chat: unknown task \"" + task.substr(0, 40) + "\"");
  return it->second;
}

// What follows a message where the model's turn begins.
Result<std::string> header_after(const Turn& turn, const Options& options, bool reasons) {
  if (!turn.task.empty()) {
    const auto token = task_token(turn.task);
    if (!token) return token.error();
    if (turn.task != "action") return std::string(*token);
    return std::string(kAssistant) + std::string(options.thinking ? kThink : kEndThink) +
           std::string(*token);
  }
  if (turn.role != "user" && turn.role != "developer") return std::string();
  return std::string(kAssistant) + std::string(reasons ? kThink : kEndThink);
}

Result<std::string> render_turns(std::vector<Turn> turns, Options options) {
  for (const Turn& turn : turns) {
    if (has(*turn.message, "tools")) options.drop_thinking = false;
  }
  if (options.thinking && options.drop_thinking) {
    if (const std::size_t last = last_user(turns); last != kNone) {
      // Developer messages are the working of an earlier answer, as its reasoning is.
      const auto begin = turns.begin();
      const auto end = begin + static_cast<std::ptrdiff_t>(last);
      turns.erase(std::remove_if(begin, end, [](const Turn& t) { return t.role == "developer"; }),
                  end);
    }
  }
  const std::size_t last = last_user(turns);
  std::string out(kBos);
  if (options.thinking && !turns.empty()) out += options.effort;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    // From the last user turn on, reasoning stays.
    const bool keeps = !options.drop_thinking || last == kNone || i >= last;
    const bool after_task = i > 0 && !turns[i - 1].task.empty();
    const auto message = render_message(turns[i], options.thinking && keeps && !after_task);
    if (!message) return message.error();
    out += *message;
    if (i + 1 < turns.size() && turns[i + 1].role != "assistant" &&
        turns[i + 1].role != "latest_reminder") {
      continue;
    }
    const auto header = header_after(turns[i], options, options.thinking && keeps);
    if (!header) return header.error();
    out += *header;
  }
  return out;
}

Result<std::string_view> effort_prefix(const std::string& effort, EffortTiers tiers) {
  const bool shifted = tiers == EffortTiers::kSince0731;
  if (effort == "max") return shifted ? kEffortBeyond : kEffortAbsolute;
  if (effort == "xhigh") return kEffortAbsolute;
  if (effort == "high") return shifted ? kEffortAbsolute : std::string_view();
  if (effort.empty() || effort == "low" || effort == "medium" || effort == "minimal") {
    return std::string_view();
  }
  return invalid("chat: reasoning_effort is low, medium, minimal, high, xhigh or max, not \"" +
                 effort.substr(0, 40) + "\"");
}

Result<std::string> render_conversation(const Json& request, EffortTiers tiers) {
  const auto messages = request.find("messages");
  if (messages == request.end() || !messages->is_array()) {
    return invalid("chat: give {\"messages\": [...]} or {\"fim\": {\"prefix\", \"suffix\"}}");
  }
  const auto mode = text_of(request, "thinking_mode");
  if (!mode) return mode.error();
  if (!mode->empty() && *mode != "chat" && *mode != "thinking") {
    return invalid("chat: thinking_mode is \"chat\" or \"thinking\"");
  }
  const auto effort = text_of(request, "reasoning_effort");
  if (!effort) return effort.error();
  const auto prefix = effort_prefix(*effort, tiers);
  if (!prefix) return prefix.error();
  const auto drop = request.find("drop_thinking");
  if (drop != request.end() && !drop->is_boolean() && !drop->is_null()) {
    return invalid("chat: drop_thinking is true or false");
  }
  auto turns = turns_of(*messages);
  if (!turns) return turns.error();
  return render_turns(std::move(*turns), {.thinking = *mode == "thinking",
                                          .drop_thinking = drop == request.end() || *drop != false,
                                          .effort = *prefix});
}

}  // namespace

std::string render_fim(std::string_view prefix, std::string_view suffix) {
  std::string out(kBos);
  return out.append(kFimBegin).append(prefix).append(kFimHole).append(suffix).append(kFimEnd);
}

Result<std::string> render_chat(std::string_view request_json, EffortTiers tiers) {
  if (request_json.size() > kMaxRequestBytes) return invalid("chat: more than 64 MiB of JSON");
  if (too_deep(request_json)) return invalid("chat: the JSON nests too deeply");
  const Json request = Json::parse(request_json, nullptr, /*allow_exceptions=*/false);
  if (!request.is_object()) return invalid("chat: the request is not a JSON object");
  const auto fim = request.find("fim");
  if (fim == request.end()) return render_conversation(request, tiers);
  if (!fim->is_object()) return invalid("chat: \"fim\" is {\"prefix\", \"suffix\"}");
  const auto prefix = text_of(*fim, "prefix");
  if (!prefix) return prefix.error();
  const auto suffix = text_of(*fim, "suffix");
  if (!suffix) return suffix.error();
  return render_fim(*prefix, *suffix);
}

}  // namespace ambit::inference
