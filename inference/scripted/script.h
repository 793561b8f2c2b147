// What the scripted backend answers: a JSON document, checked on loading.
//
//   {
//     "name": "scripted",          shown by describe()
//     "context": 1048576,          tokens; a longer prompt is refused
//     "state": "ready",            "cold" and "loading": ready after wake(); "unavailable": never
//     "load_ms": 0,                from wake() to ready
//     "problem": "",               shown when unavailable
//     "max_requests": 64,          live requests; one more is refused
//     "record": "requests.jsonl",  append one line per request and one per answer (see below)
//     "rules": [ RULE, … ],        tried in order, the first that matches answers
//     "default": RULE              answers the rest; without it they get an empty answer
//   }
//
// A RULE; every member may be left out:
//   "match":    text that the decoded prompt must contain, or a list of such texts (all of them)
//   "regex":    PCRE2 expression (UTF, dot matches newlines only with (?s)) that must be found
//   "priority": "keystroke" | "command" | "hook" | "background"
//   "times":    answers at most this many requests, then the next rules are tried
//   "answer":   the text; with "regex", "expand": true replaces $0 … $9 by what was found
//   "answers":  a list of texts, one per request in turn, the last one again and again
//   "ids":      token ids instead of text
//   "delay_ms": before the first token        "token_delay_ms": between tokens
//   "tokens_per_step": tokens handed out at once, default 1
//   "logprob":  of every token, default -0.1
//   "finish":   "stop" (default) | "length"
//   "fault":    "error"    on_done with kError
//               "hang"     nothing more until the request is cancelled or its deadline passes
//               "crash"    every live request fails as if the engine had died; wake() starts again
//               "exit"     the process ends at once with code 70 (for the engine child process)
//               "garbage"  "fault_after" tokens of the answer, then 64 random bytes, no UTF-8
//   "fault_after": tokens of the answer that are sent before the fault, default 0
//   "error":    message, "code": "unavailable" (default) | "timeout" | "internal" | "exhausted"
//
// Lines of the record: {"request": n, "prompt": text, "tokens", "priority", "max_new_tokens",
// "grammar", "rule": index or -1} when it is submitted, {"answer": n, "finish", "tokens"} at the
// end. Prompts are decoded whole, special tokens as their text; broken UTF-8 becomes U+FFFD.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "inference/backend.h"

namespace ambit::inference {

struct ScriptRule {
  enum class Fault : std::uint8_t { kNone, kError, kHang, kCrash, kExit, kGarbage };
  std::vector<std::string> match;
  std::shared_ptr<const void> regex;  // compiled; see find_regex()
  bool expand = false;
  std::optional<Priority> priority;
  std::int64_t times = -1;  // -1: always
  std::vector<std::string> answers;
  std::vector<TokenId> ids;
  std::uint32_t delay_ms = 0;
  std::uint32_t token_delay_ms = 0;
  std::uint32_t tokens_per_step = 1;
  float logprob = -0.1F;
  Finish finish = Finish::kStop;
  Fault fault = Fault::kNone;
  std::uint32_t fault_after = 0;
  Error error{Code::kUnavailable, "scripted error"};
};

struct Script {
  std::string name = "scripted";
  std::int64_t context = 1 << 20;
  BackendState state = BackendState::kReady;
  std::uint32_t load_ms = 0;
  std::string problem;
  std::size_t max_requests = 64;
  std::filesystem::path record;
  std::vector<ScriptRule> rules;
  ScriptRule fallback;
};

// kInvalidArgument names the member that is wrong.
[[nodiscard]] Result<Script> parse_script(std::string_view json);

// Whether the rule's texts and expression are found in the prompt; groups gets $0 … $9.
[[nodiscard]] bool rule_matches(const ScriptRule& rule, std::string_view prompt, Priority priority,
                                std::vector<std::string>& groups);

// The answer with $0 … $9 replaced when the rule says so.
[[nodiscard]] std::string expand_answer(const ScriptRule& rule, std::string_view answer,
                                        const std::vector<std::string>& groups);

}  // namespace ambit::inference
