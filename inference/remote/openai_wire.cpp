#include "inference/remote/openai_wire.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "inference/remote/one_line.h"

namespace ambit::inference::remote {

namespace {

using nlohmann::json;

// Bytes that are no UTF-8 (a file in another encoding) become U+FFFD.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json turns_json(const std::vector<Turn>& turns) {
  json messages = json::array();
  for (const Turn& turn : turns) {
    json message = {{"role", turn.role}, {"content", turn.content}};
    if (!turn.reasoning.empty()) message["reasoning_content"] = turn.reasoning;
    messages.push_back(std::move(message));
  }
  return messages;
}

json common(const Profile& profile, const std::string& model, const GenerateRequest& request) {
  json body = {{"model", model},
               {"max_tokens", request.max_new_tokens},
               {"temperature", request.sampling.temperature},
               {"stream", true},
               {"stream_options", {{"include_usage", true}}}};
  if (request.sampling.temperature > 0) {
    body["top_p"] = request.sampling.top_p;
    // JSON numbers of servers in Python and C++ alike hold 31 bits without question.
    body["seed"] = request.sampling.seed & 0x7FFFFFFFU;
    if (profile.sampling_extras) {
      if (request.sampling.top_k > 0) body["top_k"] = request.sampling.top_k;
      if (request.sampling.min_p > 0) body["min_p"] = request.sampling.min_p;
    }
  }
  if (profile.cache_prompt) body["cache_prompt"] = true;
  return body;
}

const json* field(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

void read_text(const json& object, const char* name, std::string& out) {
  const json* value = field(object, name);
  if (value != nullptr && value->is_string()) out += value->get_ref<const std::string&>();
}

std::int64_t read_count(const json& object, const char* name) {
  const json* value = field(object, name);
  if (value == nullptr || !value->is_number_integer()) return -1;
  return std::clamp<std::int64_t>(value->get<std::int64_t>(), -1, std::int64_t{1} << 40);
}

void read_usage(const json& event, Delta& out) {
  const json* usage = field(event, "usage");
  if (usage == nullptr) return;
  out.prompt_tokens = read_count(*usage, "prompt_tokens");
  out.cached_tokens = read_count(*usage, "prompt_cache_hit_tokens");
  if (const json* details = field(*usage, "prompt_tokens_details")) {
    if (const auto cached = read_count(*details, "cached_tokens"); cached >= 0) {
      out.cached_tokens = cached;
    }
  }
}

std::string words_of_error(const json& event) {
  const json* error = field(event, "error");
  std::string words;
  if (error != nullptr && error->is_object()) read_text(*error, "message", words);
  if (error != nullptr && error->is_string()) words = error->get<std::string>();
  if (words.empty()) read_text(event, "message", words);
  if (words.empty()) read_text(event, "detail", words);
  if (words.empty() && error != nullptr) words = "an error without words";
  return one_line(words);
}

Result<void> read_choice(const json& choice, Delta& out) {
  read_text(choice, "text", out.text);
  for (const char* name : {"delta", "message"}) {
    if (const json* inner = field(choice, name)) {
      read_text(*inner, "reasoning_content", out.reasoning);
      if (out.reasoning.empty()) read_text(*inner, "reasoning", out.reasoning);
      read_text(*inner, "content", out.text);
    }
  }
  if (const json* ids = field(choice, "token_ids"); ids != nullptr && ids->is_array()) {
    for (const json& id : *ids) {
      if (!id.is_number_integer()) continue;
      out.ids.push_back(
          static_cast<TokenId>(std::clamp<std::int64_t>(id.get<std::int64_t>(), -1, INT32_MAX)));
    }
  }
  if (const json* logprobs = field(choice, "logprobs")) {
    const json* values = field(*logprobs, "token_logprobs");
    if (values != nullptr && values->is_array()) {
      for (const json& value : *values) {
        out.logprobs.push_back(value.is_number() ? value.get<float>() : 0.0F);
      }
    }
  }
  const json* reason = field(choice, "finish_reason");
  if (reason == nullptr || !reason->is_string()) return {};
  const auto& why = reason->get_ref<const std::string&>();
  if (why == "length") {
    out.finish = Finish::kLength;
  } else if (why == "stop" || why == "eos" || why == "tool_calls") {
    out.finish = Finish::kStop;
  } else if (!why.empty()) {
    return make_error(Code::kUnavailable, "the model server ended the answer: " + one_line(why));
  }
  return {};
}

}  // namespace

Result<Call> make_call(const Profile& profile, Way way, const std::string& model,
                       const Tokenizer& tokenizer, const GenerateRequest& request) {
  const auto parts = take_apart(tokenizer, request.prompt);
  json body = common(profile, model, request);
  Call call;
  call.endpoint = "/completions";
  const auto text_stops = [&] {
    json stops = json::array();
    for (const TokenId id : request.stop_ids) {
      // Four is what the strictest of these servers takes.
      if (stops.size() < 4) stops.push_back(std::string(tokenizer.token_bytes(id)));
    }
    if (!stops.empty()) body["stop"] = std::move(stops);
  };
  switch (way) {
    case Way::kIds:
      body["prompt"] = request.prompt;
      if (profile.stop_ids) {
        body["stop_token_ids"] = request.stop_ids;
        body["return_token_ids"] = true;
      } else {
        text_stops();
      }
      if (request.logprobs > 0) body["logprobs"] = std::min(request.logprobs, 5);
      break;
    case Way::kMarkup: {
      const auto bos = tokenizer.special().bos;
      const bool with_bos = parts.bos && !profile.adds_bos && bos >= 0;
      body["prompt"] = (with_bos ? std::string(tokenizer.token_bytes(bos)) : "") + parts.markup;
      if (!profile.adds_bos) body["add_special_tokens"] = false;
      text_stops();
      if (request.logprobs > 0) body["logprobs"] = std::min(request.logprobs, 5);
      break;
    }
    case Way::kInfill:
      if (parts.kind == PromptParts::Kind::kConversation) {
        return make_error(Code::kUnsupported, "the server's infill takes no conversations");
      }
      call.endpoint = "/infill";
      call.at_root = true;
      body.erase("max_tokens");
      body.erase("stream_options");
      body["n_predict"] = request.max_new_tokens;
      body["input_prefix"] =
          parts.context + (parts.kind == PromptParts::Kind::kFim ? parts.prefix : parts.markup);
      body["input_suffix"] = parts.suffix;
      break;
    case Way::kSuffix:
      if (parts.kind == PromptParts::Kind::kConversation) {
        return make_error(Code::kUnsupported, "this way takes no conversations");
      }
      body["prompt"] = parts.kind == PromptParts::Kind::kFim ? parts.context + parts.prefix
                                                             : without_markup(parts.markup);
      if (parts.kind == PromptParts::Kind::kFim) body["suffix"] = parts.suffix;
      break;
    case Way::kChat:
      if (parts.kind != PromptParts::Kind::kConversation) {
        return make_error(Code::kUnsupported, "chat takes conversations only");
      }
      call.endpoint = "/chat/completions";
      body["messages"] = turns_json(parts.turns);
      if (profile.thinking_switch) {
        body["thinking"] = {{"type", parts.thinking ? "enabled" : "disabled"}};
      }
      if (profile.template_switch) {
        body["chat_template_kwargs"] = {{"thinking", parts.thinking}};
      }
      break;
    case Way::kNothing:
      return make_error(Code::kUnsupported,
                        "the model on " + std::string(profile.title) +
                            (parts.kind == PromptParts::Kind::kConversation
                                 ? " holds no conversations that we can read"
                                 : " cannot fill in the middle; serve one that can"));
  }
  call.body = dump(body);
  return call;
}

Result<Delta> read_delta(std::string_view text) {
  const json event = json::parse(text, nullptr, false);
  if (!event.is_object()) {
    return make_error(Code::kCorrupt, "the model server sent something that is no JSON object");
  }
  if (field(event, "error") != nullptr ||
      (field(event, "object") != nullptr && event["object"] == "error")) {
    return make_error(Code::kUnavailable, "the model server says: " + words_of_error(event));
  }
  Delta out;
  read_usage(event, out);
  if (const json* choices = field(event, "choices")) {
    if (!choices->is_array()) {
      return make_error(Code::kCorrupt, "the model server sent choices that are no list");
    }
    if (!choices->empty()) AMBIT_CHECK_OK(read_choice(choices->front(), out));
    return out;
  }
  // llama.cpp's own form.
  if (field(event, "content") != nullptr) {
    read_text(event, "content", out.text);
    const json* stop = field(event, "stop");
    if (stop != nullptr && stop->is_boolean() && stop->get<bool>()) {
      std::string why;
      read_text(event, "stop_type", why);
      out.finish = why == "limit" ? Finish::kLength : Finish::kStop;
      out.prompt_tokens = read_count(event, "tokens_evaluated");
    }
    return out;
  }
  if (field(event, "usage") != nullptr) return out;
  return make_error(Code::kCorrupt, "the model server sent an event without an answer in it");
}

std::string error_message(std::string_view body) {
  const json parsed = json::parse(body, nullptr, false);
  return parsed.is_object() ? words_of_error(parsed) : std::string();
}

}  // namespace ambit::inference::remote
