// Who goes to the model next: keystroke > command > hook > background.
//
// The backend interleaves what it was given by the same order, so a few requests run at once; the
// rest waits here, where it can be dropped without cost. When full: an older keystroke of the same
// owner is replaced (it ends with kCancelled), anything else beyond kMaxQueued is refused with
// kResourceExhausted.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "inference/backend.h"

namespace ambit::daemon {

struct Job {
  inference::GenerateRequest request;
  inference::GenerateEvents events;  // as in Backend
  std::stop_token stop;
  std::string owner;  // who asked: one keystroke job per owner waits at most
  std::string what;   // "completion", "review": for status
};

struct QueueEntry {
  std::string owner, what;
  inference::Priority priority{};
  bool running = false;
  double age_ms = 0;
  std::int64_t prompt_tokens = 0;
};

// What typing has cost: requests of keystroke priority that the model began, the tokens of their
// prompts, of those the ones that it had read before, and the ones that it computed.
struct KeystrokeWork {
  std::int64_t requests = 0, prompt_tokens = 0, reused_tokens = 0, computed_tokens = 0;
};

class Scheduler : public std::enable_shared_from_this<Scheduler> {
 public:
  static constexpr std::size_t kMaxRunning = 4;
  static constexpr std::size_t kMaxQueued = 64;

  explicit Scheduler(std::shared_ptr<inference::Backend> backend);
  ~Scheduler();

  // Any thread. Never blocks.
  void submit(Job job);
  [[nodiscard]] std::vector<QueueEntry> queue() const;
  [[nodiscard]] KeystrokeWork keystrokes() const;
  [[nodiscard]] const std::shared_ptr<inference::Backend>& backend() const { return backend_; }

 private:
  struct State;
  struct Entry;
  void start_more();
  void finished(std::uint64_t id, const inference::Usage& usage);

  const std::shared_ptr<inference::Backend> backend_;
  const std::unique_ptr<State> state_;
};

}  // namespace ambit::daemon
