// THE interface between Ambit and a model: token ids in, token ids out. Implementations: the local
// engine (in process, or behind a socketpair in the engine process), a remote server, a script.
//
// Threads: every function may be called from any thread. Events of one request are called one at a
// time, in order, on a thread of the backend; they must not block and must not call back into
// submit() with an expectation of progress. After on_done nothing more is called for that request.
// Ownership: the backend keeps the request and its events until on_done.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "daemon/support/result.h"
#include "inference/request.h"

namespace ambit::inference {

class Tokenizer;

enum class BackendState : std::uint8_t { kCold, kLoading, kReady, kUnavailable };

struct BackendInfo {
  std::string name;     // "ambit-nano", "DeepSeek-V4-Flash-0731", …
  std::string arch;     // "deepseek_v4", "scripted", "remote"
  std::string backend;  // "cpu", "cuda", "remote", "scripted"
  std::string device;   // for people: "AMD EPYC, 2 threads, avx512"
  BackendState state = BackendState::kCold;
  std::string problem;  // one line, when kUnavailable
  std::uint64_t weights_bytes = 0;
  std::uint64_t kv_bytes = 0;
  std::int64_t context = 0;  // tokens
  std::int32_t vocab_size = 0;
  bool leaves_machine = false;  // true: text is sent to another host
};

struct GenerateResult {
  Finish finish = Finish::kError;
  Error error;  // set when finish is kError
  Usage usage;
};

struct GenerateEvents {
  // Optional: prefill progress, tokens done of tokens to do.
  std::function<void(std::int64_t done, std::int64_t total)> on_prefill;
  // Newly generated tokens, at least one.
  std::function<void(std::span<const GeneratedToken>)> on_tokens;
  // Exactly once.
  std::function<void(const GenerateResult&)> on_done;
};

class Backend {
 public:
  virtual ~Backend() = default;

  [[nodiscard]] virtual BackendInfo describe() const = 0;

  // Text <-> ids of this model. Never null once describe().state is kReady; may be null before.
  [[nodiscard]] virtual std::shared_ptr<const Tokenizer> tokenizer() const = 0;

  // Starts loading when cold; safe to call again. Errors show in describe().problem.
  virtual void wake() = 0;

  // Queues the request. `stop` cancels it: within one prefill chunk or one decode step on_done
  // comes with kCancelled. A request refused at once (queue full, no model, prompt beyond the
  // context) gets on_done with kError before submit() returns.
  virtual void submit(GenerateRequest request, GenerateEvents events, std::stop_token stop) = 0;
};

}  // namespace ambit::inference
