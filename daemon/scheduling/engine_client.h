// Backend over a socketpair to the engine process, which holds weights, state and the GPU.
//
// The child starts with wake() or the first request. When it dies (a GPU fault, the out-of-memory
// killer, kill -9) it is started again and requests that had streamed nothing are sent again, once;
// the others end with kUnavailable. Three deaths within a minute and it stays down for a minute, so
// a broken model is not a crash loop. The child ends when this object, or the daemon, is gone.
//
// Threads: any. Events are called on the reader thread of this object. `Observer` functions too;
// they must not block.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/support/clock.h"
#include "inference/backend.h"

namespace ambit::daemon {

struct EngineOptions {
  std::filesystem::path executable;    // `ambit`
  std::vector<std::string> arguments;  // of the verb `engine`, without --fd
  // Loads the tokenizer of the same model into this process; called once, on a thread of ours.
  std::function<Result<std::shared_ptr<const inference::Tokenizer>>()> load_tokenizer;
  std::function<void(const inference::BackendInfo&)> on_change;  // may be empty
  std::function<void(const std::string& line)> on_restart;       // may be empty; for people
};

class EngineClient : public inference::Backend {
 public:
  explicit EngineClient(EngineOptions options);
  ~EngineClient() override;

  [[nodiscard]] inference::BackendInfo describe() const override;
  [[nodiscard]] std::shared_ptr<const inference::Tokenizer> tokenizer() const override;
  void wake() override;
  void submit(inference::GenerateRequest request, inference::GenerateEvents events,
              std::stop_token stop) override;

  // Stops the child when nothing was asked of it for this long; the next request starts it again.
  void park_if_idle(std::chrono::seconds keep_alive);
  // Ends the child and the threads; every pending request ends with kUnavailable. Done by the
  // destructor too; for owners who share this object with others.
  void shut_down();
  // 0 when none runs. For status and tests.
  [[nodiscard]] int child_pid() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ambit::daemon
