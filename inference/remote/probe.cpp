#include "inference/remote/probe.h"

#include <nlohmann/json.hpp>

#include "inference/remote/answer.h"

namespace ambit::inference::remote {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 20;
constexpr std::chrono::seconds kPatience{60};
// Our own words, with what code has: nothing of a repository is in a trial.
constexpr std::string_view kSample =
    "int add(int a, int b) {\n\treturn a + b;  // 12345 + 678\n}\nüñî 文字\n";

struct Reply {
  int status = 0;
  json body;
};

Result<Reply> ask(HttpClient& client, const RemoteOptions& options, HttpRequest request,
                  const std::stop_token& stop) {
  if (!options.api_key.empty()) {
    request.headers.emplace_back("Authorization", "Bearer " + options.api_key);
  }
  request.headers.emplace_back("Content-Type", "application/json");
  request.headers.emplace_back("Accept", "application/json");
  HttpLimits limits;
  limits.connect = options.connect_limit;
  limits.silence = kPatience;
  limits.deadline = std::chrono::steady_clock::now() + kPatience;
  limits.body_bytes = kMaxBytes;
  Reply reply;
  std::string body;
  HttpEvents events;
  events.on_head = [&](const HttpHead& head) { reply.status = head.status; };
  events.on_data = [&](std::string_view bytes) {
    body += bytes;
    return true;
  };
  if (auto failed = client.perform(request, limits, events, stop)) return failed->error;
  reply.body = json::parse(body, nullptr, false);
  return reply;
}

std::string root_of(const Url& url) {
  return url.path.ends_with("/v1") ? url.path.substr(0, url.path.size() - 3) : url.path;
}

std::int64_t count_in(const json& object, const char* name) {
  if (!object.is_object()) return 0;
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer()
             ? std::clamp<std::int64_t>(found->get<std::int64_t>(), 0, 1 << 30)
             : 0;
}

std::string text_in(const json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Name and window of the model, as far as the server tells.
Result<Found> look_at_models(HttpClient& client, const RemoteOptions& options,
                             const std::stop_token& stop) {
  Found found;
  found.model = options.model;
  HttpRequest request;
  request.target = options.url.path + "/models";
  AMBIT_TRY(reply, ask(client, options, request, stop));
  if (reply.status == 401 || reply.status == 403) {
    return make_error(
        Code::kPermission,
        options.url.text() + (options.api_key.empty() ? " wants a key: set `remote.api_key`"
                                                      : " refuses the key; see `remote.api_key`"));
  }
  const json* models = nullptr;
  if (reply.body.is_object()) {
    const auto data = reply.body.find("data");
    if (data != reply.body.end() && data->is_array()) models = &*data;
  }
  if (reply.status != 200 || models == nullptr) {
    // Some gateways have no list; then the name must be given.
    if (!found.model.empty() && reply.status != 0 && reply.status < 500) return found;
    return make_error(Code::kUnavailable, options.url.text() +
                                              " does not list its models (status " +
                                              std::to_string(reply.status) +
                                              "); check the address, or name the model after '#'");
  }
  std::string known;
  for (const json& model : *models) {
    const std::string id = text_in(model, "id").substr(0, 200);
    if (id.empty()) continue;
    if (known.size() < 400) known += (known.empty() ? "" : ", ") + id;
    if (!found.model.empty() && found.model != id) continue;
    found.model = id;
    found.context = count_in(model, "max_model_len");  // vLLM, SGLang
    if (const auto meta = model.find("meta"); meta != model.end()) {
      found.context = std::max(found.context, count_in(*meta, "n_ctx"));  // llama.cpp
    }
    return found;
  }
  // A listed alias may differ from the name that is served, so this is worth one line only.
  if (found.model.empty()) {
    return make_error(Code::kNotFound, options.url.text() + " lists no model");
  }
  return make_error(Code::kNotFound, options.url.text() + " has no model '" + found.model +
                                         "'; it has " + (known.empty() ? "none" : known));
}

std::optional<std::vector<TokenId>> tokenize(HttpClient& client, const RemoteOptions& options,
                                             const std::string& model, std::string_view text,
                                             const std::stop_token& stop) {
  const Profile& profile = *options.profile;
  if (profile.tokenize_text.empty()) return std::nullopt;
  json body = {{"model", model}};
  body[std::string(profile.tokenize_text)] = text;
  body[std::string(profile.tokenize_bos)] = false;
  if (!profile.tokenize_extra.empty()) body[std::string(profile.tokenize_extra)] = true;
  HttpRequest request;
  request.method = "POST";
  request.target = root_of(options.url) + "/tokenize";
  request.body = body.dump();
  const auto reply = ask(client, options, request, stop);
  if (!reply || reply->status != 200 || !reply->body.is_object()) return std::nullopt;
  const auto tokens = reply->body.find("tokens");
  if (tokens == reply->body.end() || !tokens->is_array()) return std::nullopt;
  std::vector<TokenId> ids;
  for (const json& token : *tokens) {
    if (!token.is_number_integer()) return std::nullopt;
    ids.push_back(static_cast<TokenId>(token.get<std::int64_t>()));
  }
  return ids;
}

// A prompt of the given kind in the ids of the tokenizer that is here.
std::vector<TokenId> sample_prompt(const Tokenizer& tokenizer, bool conversation) {
  const auto& s = tokenizer.special();
  std::vector<TokenId> ids;
  const auto text = [&](std::string_view words) {
    const auto more = tokenizer.encode(words);
    ids.insert(ids.end(), more.begin(), more.end());
  };
  if (s.bos >= 0) ids.push_back(s.bos);
  if (conversation) {
    ids.push_back(s.user);
    text("Say yes.");
    ids.insert(ids.end(), {s.assistant, s.end_think});
  } else {
    ids.push_back(s.fim_begin);
    text("int add(int a, int b) {\n  return ");
    ids.push_back(s.fim_hole);
    text(";\n}\n");
    ids.push_back(s.fim_end);
  }
  return ids;
}

struct Trial {
  Way way = Way::kNothing;
  Error error;  // of the last way that failed
};

// The first way that the server takes.
Trial try_ways(HttpClient& client, const RemoteOptions& options, const Found& found,
               std::span<const Way> ways, bool conversation, bool same_vocabulary,
               bool reads_markup, const std::stop_token& stop) {
  Trial trial;
  trial.error = make_error(Code::kUnsupported, "it takes none of the ways that we know");
  for (const Way way : ways) {
    if (way == Way::kIds && !same_vocabulary) continue;
    if (way == Way::kMarkup && !reads_markup) continue;
    GenerateRequest request;
    request.prompt = sample_prompt(*options.tokenizer, conversation);
    request.max_new_tokens = 1;
    const auto call = make_call(*options.profile, way, found.model, *options.tokenizer, request);
    if (!call) continue;
    GenerateEvents nobody;
    Answer answer(options, way, request, nobody);
    HttpEvents events;
    events.on_head = [&](const HttpHead& head) { answer.head(head); };
    events.on_data = [&](std::string_view bytes) { return answer.data(bytes); };
    HttpLimits limits;
    limits.connect = options.connect_limit;
    limits.silence = kPatience;
    limits.deadline = std::chrono::steady_clock::now() + kPatience;
    limits.body_bytes = kMaxBytes;
    const auto ended = answer.end(client.perform(request_of(options, *call), limits, events, stop));
    if (ended.result.finish != Finish::kError) {
      trial.way = way;
      return trial;
    }
    trial.error = ended.result.error;
    // A busy or unreachable server says nothing about what it takes.
    if (ended.retry || trial.error.code == Code::kPermission) return trial;
  }
  return trial;
}

}  // namespace

HttpRequest request_of(const RemoteOptions& options, const Call& call) {
  HttpRequest request;
  request.method = "POST";
  request.target = (call.at_root ? root_of(options.url) : options.url.path) + call.endpoint;
  request.body = call.body;
  request.headers = {{"Content-Type", "application/json"},
                     {"Accept", "text/event-stream, application/json"}};
  if (!options.api_key.empty()) {
    request.headers.emplace_back("Authorization", "Bearer " + options.api_key);
  }
  return request;
}

Result<Found> probe(HttpClient& client, const RemoteOptions& options, const std::stop_token& stop) {
  AMBIT_TRY(found, look_at_models(client, options, stop));
  const Profile& profile = *options.profile;
  const auto& special = options.tokenizer->special();
  // Servers without /tokenize are believed what their profile says.
  bool same_vocabulary = false, reads_markup = true;
  const std::string hole(options.tokenizer->token_bytes(special.fim_hole));
  if (!profile.tokenize_text.empty() && !hole.empty()) {
    const auto alone = tokenize(client, options, found.model, hole, stop);
    if (alone) reads_markup = alone->size() == 1;
    if (options.exact_tokenizer) {
      const std::string text = std::string(kSample) + hole + std::string(kSample);
      const auto theirs = tokenize(client, options, found.model, text, stop);
      same_vocabulary = theirs && *theirs == options.tokenizer->encode_with_special(text);
    }
  }
  const auto fim =
      try_ways(client, options, found, profile.fim, false, same_vocabulary, reads_markup, stop);
  const auto talk = try_ways(client, options, found, profile.conversation, true, same_vocabulary,
                             reads_markup, stop);
  found.fim = fim.way;
  found.conversation = talk.way;
  if (fim.way == Way::kNothing && talk.way == Way::kNothing) {
    return make_error(fim.error.code, fim.error.message);
  }
  return found;
}

}  // namespace ambit::inference::remote
