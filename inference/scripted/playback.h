// One scripted answer as it is played: token by token at its times, with its faults. No threads:
// the backend's worker calls it when something is due.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <vector>

#include "inference/backend.h"
#include "inference/scripted/script.h"

namespace ambit::inference {

struct Playback {
  using Time = std::chrono::steady_clock::time_point;

  GenerateRequest request;
  GenerateEvents events;
  ScriptRule rule;  // without its texts
  std::vector<TokenId> answer;
  std::size_t sent = 0;
  Time submitted;
  Time first;
  Time next;  // when something is due
  std::optional<Time> deadline;
  Usage usage;
  std::stop_token stop;

  // Sends what is due; a result when the request ends. A fault of the script may end the process.
  std::optional<GenerateResult> step(std::int32_t vocab_size);
};

}  // namespace ambit::inference
