// What is asked of a model and what comes back, in token ids. Plain data: it crosses the socketpair
// to the engine process as it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ambit::inference {

using TokenId = std::int32_t;

// Who goes first. A request of a lower class gives way between prefill chunks and decode steps.
enum class Priority : std::uint8_t { kKeystroke, kCommand, kHook, kBackground };

struct Sampling {
  float temperature = 0.0F;  // 0 is greedy
  float top_p = 1.0F;        // (0, 1]
  std::int32_t top_k = 0;    // 0 keeps all
  float min_p = 0.0F;        // [0, 1]
  std::uint64_t seed = 0;    // same seed, same prompt, same options: same tokens
};

struct GenerateRequest {
  std::vector<TokenId> prompt{};    // the whole sequence; the engine finds what it has already
  std::int32_t max_new_tokens = 0;  // 0: only make the prefix warm
  Sampling sampling{};
  std::vector<TokenId> stop_ids{};  // end-of-sequence ids; the one that stopped is not returned
  std::int32_t logprobs = 0;        // top-k log-probabilities per token, 0 for none, at most 64
  Priority priority = Priority::kCommand;
  // Not empty: nothing is chosen. These tokens are taken as the answer and rated: their
  // log-probabilities come back. At most max_new_tokens; stop_ids are not looked at. Only our own
  // engine can do it, the other backends refuse.
  std::vector<TokenId> answer{};
  std::vector<TokenId> draft{};   // text that the answer is likely to repeat (look-up speculation)
  std::string grammar{};          // empty: free text; see inference/engine/grammar.h
  std::uint32_t deadline_ms = 0;  // from submission; 0: none
  bool keep = true;               // false: this sequence's state may be dropped after the answer
  bool on_disk = false;  // with keep: over restarts too, where the engine keeps state on disk
  // Root of the repository that the prompt's text comes from. A remote backend sends nothing
  // without one that its user agreed to; the others do not look at it.
  std::string repository{};
};

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0.0F;
};

struct GeneratedToken {
  TokenId id = 0;
  float logprob = 0.0F;           // of this token under the untempered distribution
  std::vector<TokenLogprob> top;  // `logprobs` entries, most likely first
};

enum class Finish : std::uint8_t { kStop, kLength, kCancelled, kDeadline, kError };

struct Usage {
  std::int64_t prompt_tokens = 0;
  std::int64_t reused_tokens = 0;    // found warm, in memory or on disk
  std::int64_t computed_tokens = 0;  // prefilled for this request
  std::int64_t drafted_tokens = 0;
  std::int64_t accepted_tokens = 0;
  double queue_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
};

}  // namespace ambit::inference
