#include "inference/scripted/playback.h"

#include <algorithm>
#include <cstdlib>

namespace ambit::inference {

std::optional<GenerateResult> Playback::step(std::int32_t vocab_size) {
  using Milliseconds = std::chrono::milliseconds;
  using Fault = ScriptRule::Fault;
  GenerateResult result;
  const Time now = std::chrono::steady_clock::now();
  if (stop.stop_requested()) {
    result.finish = Finish::kCancelled;
    return result;
  }
  if (deadline && now >= *deadline) {
    result.finish = Finish::kDeadline;
    return result;
  }
  if (now < next) return std::nullopt;
  if (sent == 0 && events.on_prefill) {
    events.on_prefill(usage.computed_tokens, usage.computed_tokens);
  }
  const bool faulty = rule.fault != Fault::kNone && rule.fault != Fault::kGarbage;
  std::size_t end = answer.size();
  if (faulty) end = std::min<std::size_t>(end, rule.fault_after);
  const auto limit = static_cast<std::size_t>(std::max(request.max_new_tokens, 0));
  end = std::min(end, limit);

  std::vector<GeneratedToken> tokens;
  bool stopped = false;
  while (sent < end && tokens.size() < rule.tokens_per_step) {
    const TokenId id = answer[sent];
    if (std::find(request.stop_ids.begin(), request.stop_ids.end(), id) != request.stop_ids.end()) {
      stopped = true;
      break;
    }
    GeneratedToken token;
    token.id = id;
    token.logprob = rule.logprob;
    for (std::int32_t k = 0; k < std::min(request.logprobs, 64); ++k) {
      // Besides the answer's token, made-up rivals of falling probability.
      const TokenId rival = k == 0 ? id : (id + k) % vocab_size;
      token.top.push_back({rival, k == 0 ? token.logprob : token.logprob - 3.0F - float(k)});
    }
    tokens.push_back(std::move(token));
    ++sent;
  }
  if (!tokens.empty() && events.on_tokens) events.on_tokens(tokens);
  next = std::max(next, now) + Milliseconds(rule.token_delay_ms);
  if (stopped) {
    result.finish = Finish::kStop;
    return result;
  }
  if (sent < end) return std::nullopt;
  if (sent == limit) {
    result.finish = Finish::kLength;
    return result;
  }
  if (!faulty) {
    result.finish = rule.finish;
    return result;
  }
  if (rule.fault == Fault::kHang) {
    next = Time::max();
    return std::nullopt;
  }
  // The process goes as it would when it is killed: nothing is flushed, nobody is told.
  if (rule.fault == Fault::kExit) std::_Exit(70);
  result.error = rule.error;
  if (rule.fault == Fault::kCrash) {
    result.error = make_error(Code::kUnavailable, "the model process ended unexpectedly");
  }
  return result;
}

}  // namespace ambit::inference
