// Makes the model read the stable part of a repository's pack in the background, so that a
// keystroke finds it read: piece by piece, below everything that somebody waits for. What was read
// stays when this ends half-way (the engine keeps it, on disk too), so the next start goes on from
// there.
//
// A new stable part is read first and used after; until the first one is read, completions make do
// with a small pack (kColdTokens) that costs nothing to read.
//
// Threads: any. Nothing here blocks; the work is done by `work` and on the model's thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/token_cache.h"
#include "daemon/scheduling/scheduler.h"
#include "indexer/context/pack.h"

namespace ambit::daemon {

class WarmPrefix : public std::enable_shared_from_this<WarmPrefix> {
 public:
  static constexpr std::int64_t kColdTokens = 2048;
  // Tokens of one request to the model: what a crash of the engine can cost.
  static constexpr std::size_t kPiece = 4096;

  struct Parts {
    std::shared_ptr<indexer::Packer> packer;  // never null, as all of these
    std::shared_ptr<Scheduler> scheduler;
    std::shared_ptr<TokenCache> tokens;
    std::string root;                                 // of the repository
    std::function<void(std::function<void()>)> work;  // runs a function on a cpu thread
    std::function<int()> engine;  // another number: another engine, which has to read again
  };
  explicit WarmPrefix(Parts parts) : parts_(std::move(parts)) {}
  ~WarmPrefix() { stop_.request_stop(); }

  enum class State { kOff, kWaiting, kReading, kWarm };
  struct Status {
    State state = State::kOff;
    std::int64_t budget = 0;  // of the whole pack
    std::int64_t tokens = 0;  // to read
    std::int64_t done = 0;
    std::string_view name() const;  // "off", "waiting", "reading", "warm"
  };

  // Packs of this budget are wanted, around these files; 0: none.
  void want(std::int64_t budget_tokens, std::vector<std::string> around);
  // The index, the model or its engine may have changed.
  void look_again();
  // The stable part of this budget is read: packs may use it.
  [[nodiscard]] bool ready(std::int64_t budget_tokens) const;
  [[nodiscard]] Status status() const;
  // Called on every change of the status until it returns false; on any thread, must not block.
  void watch(std::function<bool(const Status&)> observer);

 private:
  void run();
  void read_on();
  void finish(State state);
  void tell();

  const Parts parts_;
  std::stop_source stop_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::string> around_;
  Status status_;
  bool running_ = false, again_ = false;
  std::int64_t ready_budget_ = -1;  // whose part was read last, and by which engine
  int ready_engine_ = 0;
  std::shared_ptr<const indexer::StablePart> part_;  // being read, or read
  int engine_ = 0;                                   // that reads it
  std::shared_ptr<const std::vector<inference::TokenId>> ids_;
  std::vector<std::function<bool(const Status&)>> observers_;
};

// BOS and the spans, each tokenised alone: how every prompt begins.
[[nodiscard]] std::vector<inference::TokenId> prefix_ids(
    TokenCache& tokens, const std::shared_ptr<const inference::Tokenizer>& tokenizer,
    const std::vector<indexer::PackSpan>& spans);

// Counts with the tokenizer, each text once. Both live as long as the counter.
[[nodiscard]] indexer::TokenCounter counter_of(
    TokenCache& tokens, std::shared_ptr<const inference::Tokenizer> tokenizer);

// For PackRequest::shared_tokens; likewise.
[[nodiscard]] std::function<std::int64_t(std::span<const std::string>,
                                         std::span<const std::string>)>
shared_tokens_of(TokenCache& tokens, std::shared_ptr<const inference::Tokenizer> tokenizer);

}  // namespace ambit::daemon
