// Requests of ours to the client, and what becomes of them: the pairing of ids and replies. Used by
// Session alone, on its strand; everybody else calls Session::ask or Session::ask_and_wait.
//
// Ids are integers (Neovim asserts that they are) and start at a random number: after the daemon
// was replaced, a late reply to the old one must not be taken for a reply to the new one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "daemon/net/runtime.h"
#include "daemon/support/result.h"
#include "lsp/message.h"

namespace ambit::daemon {

// What the client answered. kUnsupported: it does not know the method; kCancelled: it, the caller
// or the end of the session cancelled; kTimeout: no answer in time; kInternal: any other error of
// the client, with its message.
using Answer = Result<lsp::Json>;
using OnAnswer = std::function<void(Answer)>;

class Calls {
 public:
  static constexpr std::size_t kMaxOpen = 1000;

  explicit Calls(Strand strand);
  // Registers a call and returns its id; `then` is called exactly once. limit zero: no limit.
  // nullopt (and then() with kResourceExhausted) when kMaxOpen calls wait already.
  [[nodiscard]] std::optional<std::int64_t> add(std::chrono::milliseconds limit, OnAnswer then);
  // False when no call has this id (any more).
  bool settle(std::int64_t id, Answer answer);
  // Ends all with kCancelled.
  void end_all();
  [[nodiscard]] std::size_t open() const { return open_.size(); }

 private:
  struct Call {
    OnAnswer then;
    std::unique_ptr<Timer> timer;
  };
  const Strand strand_;
  std::map<std::int64_t, Call> open_;
  std::int64_t next_;
};

// The reply of a client as an Answer.
[[nodiscard]] Answer answer_of(const lsp::Response& response);

}  // namespace ambit::daemon
