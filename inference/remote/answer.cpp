#include "inference/remote/answer.h"

#include <algorithm>

#include "daemon/support/clock.h"
#include "inference/remote/retry.h"

namespace ambit::inference::remote {

namespace {

constexpr std::size_t kMaxErrorBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxDocumentBytes = std::size_t{16} << 20;
// No vocabulary of these models has a longer token than this.
constexpr std::size_t kMaxTokenBytes = 256;

Code code_of(int status) {
  switch (status) {
    case 401:
    case 402:
    case 403:
      return Code::kPermission;
    case 404:
      return Code::kNotFound;
    case 400:
    case 413:
    case 422:
      return Code::kInvalidArgument;
    case 429:
      return Code::kResourceExhausted;
    default:
      return Code::kUnavailable;
  }
}

std::string_view advice_of(int status) {
  if (status >= 300 && status < 400) return "it points elsewhere, which is not followed";
  switch (status) {
    case 401:
    case 403:
      return "it refuses the key; see `remote.api_key`";
    case 402:
      return "the account has no credit left";
    case 404:
      return "it has no such endpoint or model; check address and model name";
    case 429:
      return "too many requests";
    default:
      return {};
  }
}

}  // namespace

Answer::Answer(const RemoteOptions& options, Way way, const GenerateRequest& request,
               const GenerateEvents& events)
    : options_(options), way_(way), request_(request), events_(events) {
  if (way == Way::kChat) reasoning_ = take_apart(*options.tokenizer, request.prompt).thinking;
}

void Answer::head(const HttpHead& head) {
  head_ = head;
  streams_ = head.status == 200 && head.content_type.starts_with("text/event-stream");
}

bool Answer::data(std::string_view bytes) {
  if (!streams_) {
    const bool fine = head_.status == 200;
    const std::size_t limit = fine ? kMaxDocumentBytes : kMaxErrorBytes;
    if (fine && body_.size() + bytes.size() > limit) {
      error_ = make_error(Code::kResourceExhausted, "the model server's answer is too long");
      return false;
    }
    body_ += bytes.substr(0, limit - body_.size());
    return body_.size() < limit;
  }
  auto more = stream_.push(bytes, [this](std::string_view event) { return take_event(event); });
  if (!more) error_ = more.error();
  return more && *more;
}

bool Answer::take_event(std::string_view data) {
  if (data == "[DONE]") {
    done_ = true;
    return false;
  }
  auto delta = read_delta(data);
  if (!delta) {
    error_ = delta.error();
    return false;
  }
  take(*delta);
  // llama.cpp's own form ends with its last event.
  return !too_long_ && !(finish_ && way_ == Way::kInfill);
}

void Answer::take(const Delta& delta) {
  if (delta.prompt_tokens >= 0) usage_.prompt_tokens = delta.prompt_tokens;
  if (delta.cached_tokens >= 0) usage_.reused_tokens = delta.cached_tokens;
  if (finish_) return;
  // Reasoning that was not asked for has no place in the prompt's markup.
  if (reasoning_ && !delta.reasoning.empty()) emit(delta.reasoning, nullptr);
  if (!delta.text.empty() || !delta.ids.empty()) {
    if (reasoning_) {
      reasoning_ = false;
      const TokenId id = options_.tokenizer->special().end_think;
      if (id >= 0 && events_.on_tokens) {
        const GeneratedToken token{id, 0.0F, {}};
        events_.on_tokens({&token, 1});
      }
    }
    emit(delta.text, &delta);
  }
  if (delta.finish) finish_ = delta.finish;
}

void Answer::emit(std::string_view text, const Delta* delta) {
  text_bytes_ += text.size();
  const auto limit = static_cast<std::size_t>(request_.max_new_tokens) * kMaxTokenBytes + 4096;
  if (text_bytes_ > limit) {
    too_long_ = true;
    return;
  }
  std::vector<TokenId> ids;
  const bool exact = way_ == Way::kIds && delta != nullptr && !delta->ids.empty();
  if (exact) {
    const auto vocabulary = options_.tokenizer->vocab_size();
    for (const TokenId id : delta->ids) {
      const bool stops = std::find(request_.stop_ids.begin(), request_.stop_ids.end(), id) !=
                         request_.stop_ids.end();
      if (id >= 0 && id < vocabulary && !stops) ids.push_back(id);
    }
  } else {
    ids = options_.tokenizer->encode(text);
  }
  if (ids.empty()) return;
  std::vector<GeneratedToken> tokens;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    GeneratedToken token;
    token.id = ids[i];
    if (delta != nullptr && delta->logprobs.size() == ids.size()) {
      token.logprob = delta->logprobs[i];
    }
    tokens.push_back(std::move(token));
  }
  if (tokens_ == 0) first_ = std::chrono::steady_clock::now();
  tokens_ += static_cast<std::int64_t>(tokens.size());
  if (events_.on_tokens) events_.on_tokens(tokens);
}

Answer::End Answer::refused() const {
  const std::string words = error_message(body_);
  const auto advice = advice_of(head_.status);
  std::string message =
      options_.url.text() + " answered with status " + std::to_string(head_.status);
  if (!advice.empty()) message += ": " + std::string(advice);
  if (!words.empty()) message += " (it says: " + words + ")";
  End out;
  out.result.error = make_error(code_of(head_.status), std::move(message));
  out.retry = worth_retrying(head_.status);
  out.retry_after = parse_retry_after(head_.retry_after, std::chrono::system_clock::now());
  return out;
}

Answer::End Answer::broken_off(const HttpClient::Failure& broke) const {
  End out;
  out.result.error = broke.error;
  if (broke.error.code == Code::kCancelled) {
    out.result.finish = Finish::kCancelled;
    out.result.error = {};
  } else if (broke.error.code == Code::kTimeout && request_.deadline_ms > 0) {
    out.result.finish = Finish::kDeadline;
  } else {
    out.retry = tokens_ == 0 && broke.error.code == Code::kUnavailable;
  }
  return out;
}

Answer::End Answer::end(const std::optional<HttpClient::Failure>& broke) {
  const bool whole = finish_ || done_ || too_long_;
  End out;
  if (error_) {
    out.result.error = *error_;
  } else if (broke && !whole && broke->error.code == Code::kCancelled) {
    out = broken_off(*broke);
  } else if (head_.status != 0 && head_.status != 200) {
    out = refused();
  } else if (broke && !whole) {
    out = broken_off(*broke);
  } else {
    if (!streams_ && !body_.empty()) {
      auto delta = read_delta(body_);
      if (!delta) {
        out.result.error = delta.error();
        return out;
      }
      take(*delta);
    }
    if (too_long_) {
      out.result.finish = Finish::kLength;
    } else if (finish_) {
      out.result.finish = *finish_;
    } else if (done_) {
      out.result.finish = Finish::kStop;
    } else {
      out.result.error = make_error(
          Code::kUnavailable, options_.url.text() + " broke its answer off before it was whole");
      out.retry = tokens_ == 0;
    }
  }
  usage_.prompt_tokens = std::max(usage_.prompt_tokens, std::int64_t{0});
  if (usage_.prompt_tokens == 0) {
    usage_.prompt_tokens = static_cast<std::int64_t>(request_.prompt.size());
  }
  usage_.reused_tokens = std::clamp<std::int64_t>(usage_.reused_tokens, 0, usage_.prompt_tokens);
  usage_.computed_tokens = usage_.prompt_tokens - usage_.reused_tokens;
  const auto now = std::chrono::steady_clock::now();
  usage_.prefill_ms = elapsed_ms(start_, tokens_ > 0 ? first_ : now);
  usage_.decode_ms = tokens_ > 0 ? elapsed_ms(first_, now) : 0;
  out.result.usage = usage_;
  return out;
}

}  // namespace ambit::inference::remote
