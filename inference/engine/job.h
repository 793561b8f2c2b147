// A request in the engine, from submission to on_done. The model thread's, once taken from the
// queue.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "daemon/support/clock.h"
#include "inference/backend.h"
#include "inference/engine/grammar.h"
#include "inference/engine/speculative.h"
#include "inference/engine/token_chooser.h"
#include "inference/kv/cache.h"

namespace ambit::inference {

struct Job {
  GenerateRequest request;
  GenerateEvents events;
  std::stop_token stop;
  Clock::time_point submitted;
  Clock::time_point started;
  Clock::time_point decoding_since;
  GenerateResult result;
  std::optional<KvCache> cache;           // set when first scheduled
  std::optional<LookupDrafter> lookup;    // set when decoding
  std::optional<GrammarMatcher> grammar;  // set when the request has one
  bool decoding = false;
  TokenId next = 0;               // decided, not yet in the cache
  std::int64_t generated = 0;     // tokens decided
  std::vector<TokenId> step_ids;  // of the step being built: `next` and its drafts
  StepChoices choices;            // of these, where the model chooses
  std::size_t lookup_drafts = 0;  // of step_ids
  DraftPace pace;                 // of the model's drafts
  std::size_t pages = 0;          // of the cache, when memory was last looked at
};
using JobPtr = std::unique_ptr<Job>;

}  // namespace ambit::inference
