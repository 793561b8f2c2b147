// The requests in work, and the steps that they share: a step is one token of every decoding
// request of the most urgent class plus one chunk of one prompt of that class. Threads: the model
// thread only, but for state_bytes().
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "inference/engine/decoder.h"
#include "inference/engine/job.h"
#include "inference/engine/local_backend.h"
#include "inference/engine/prefill_pace.h"
#include "inference/engine/warm_state.h"
#include "inference/model/step_model.h"

namespace ambit::inference {

class Batcher {
 public:
  struct Hooks {
    std::function<bool()> is_wanted;            // whether somebody waits outside
    std::function<void()> on_end;               // a request has ended; it is told next
    std::function<void(const Error&)> on_gone;  // what computes is gone, for good
  };
  // model must outlive it.
  Batcher(StepModel& model, const LocalOptions& options, Hooks hooks);

  void add(JobPtr job) { active_.push_back(std::move(job)); }
  [[nodiscard]] bool empty() const { return active_.empty(); }
  // Ends what was cancelled or is late, and computes one step of what is left.
  void step();
  // Ends everything as cancelled.
  void cancel_all();

  // Prefixes kept warm; what waits to be written is written between steps.
  [[nodiscard]] WarmState& state() { return state_; }
  // Of memory. Any thread.
  [[nodiscard]] std::uint64_t state_bytes() const { return state_.bytes(); }

 private:
  void reap();
  void start(Job& job);
  // Adds a chunk of the job's prompt to the step; its tokens, 0 when all of the prompt is warm.
  std::size_t plan_prefill(JobPtr& job);
  void add_input(JobPtr& job, std::span<const TokenId> ids, std::size_t logits_from);
  void absorb(JobPtr& slot, const StepOutput& rows);
  // A step could not be computed: its members end, and their state goes.
  void fail(const Error& error);
  void finish(JobPtr& slot, Finish how);
  void done(Job& job, Finish how);
  void write_behind(std::size_t pages);
  void bound_memory();
  void trim_memory();

  StepModel* model_;
  LocalOptions options_;
  Hooks hooks_;
  std::size_t max_chunk_;
  WarmState state_;
  Decoder decoder_;
  PrefillPace pace_;
  std::vector<JobPtr> active_;  // null: ended in this step
  std::vector<StepInput> inputs_;
  std::vector<JobPtr*> members_;     // of active_, in the order of inputs_
  Clock::time_point last_wanted_{};  // when a request that somebody waits for was last in work
};

}  // namespace ambit::inference
