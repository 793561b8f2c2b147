#include "daemon/scheduling/scheduler.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace ambit::daemon {

using inference::Finish;
using inference::GenerateResult;
using inference::Priority;

struct Scheduler::Entry {
  Job job;
  std::uint64_t id = 0;
  std::int64_t prompt_tokens = 0;
  std::chrono::steady_clock::time_point since;
  // Ends the job while it waits. Destroyed outside the lock, like in EngineClient.
  std::unique_ptr<std::stop_callback<std::function<void()>>> on_stop;
};

struct Scheduler::State {
  using Entries = std::map<std::uint64_t, std::shared_ptr<Entry>>;  // in the order of arrival
  mutable std::mutex mutex;
  Entries waiting, running;
  std::uint64_t next_id = 1;
  KeystrokeWork keystrokes;
};

Scheduler::Scheduler(std::shared_ptr<inference::Backend> backend)
    : backend_(std::move(backend)), state_(std::make_unique<State>()) {}

Scheduler::~Scheduler() = default;

void Scheduler::submit(Job job) {
  auto entry = std::make_shared<Entry>();
  entry->job = std::move(job);
  entry->prompt_tokens = static_cast<std::int64_t>(entry->job.request.prompt.size());
  entry->since = std::chrono::steady_clock::now();
  const std::stop_token stop = entry->job.stop;
  std::shared_ptr<Entry> replaced;
  bool refused = false;
  {
    std::lock_guard lock(state_->mutex);
    entry->id = state_->next_id++;
    if (entry->job.request.priority == Priority::kKeystroke) {
      const auto older =
          std::find_if(state_->waiting.begin(), state_->waiting.end(), [&](const auto& pair) {
            return pair.second->job.request.priority == Priority::kKeystroke &&
                   pair.second->job.owner == entry->job.owner;
          });
      if (older != state_->waiting.end()) {
        replaced = older->second;
        state_->waiting.erase(older);
      }
    }
    refused = state_->waiting.size() >= kMaxQueued;
    if (!refused) state_->waiting.emplace(entry->id, entry);
  }
  if (replaced) replaced->job.events.on_done({Finish::kCancelled, {}, {}});
  if (refused) {
    entry->job.events.on_done(
        {Finish::kError,
         make_error(Code::kResourceExhausted, "too many requests wait for the model; try again"),
         {}});
    return;
  }
  if (stop.stop_possible()) {
    auto callback = std::make_unique<std::stop_callback<std::function<void()>>>(
        stop, [weak = weak_from_this(), id = entry->id] {
          const auto self = weak.lock();
          if (!self) return;
          std::shared_ptr<Entry> dropped;
          {
            std::lock_guard lock(self->state_->mutex);
            const auto found = self->state_->waiting.find(id);
            if (found == self->state_->waiting.end()) return;  // running: the backend sees the stop
            dropped = found->second;
            self->state_->waiting.erase(found);
          }
          dropped->job.events.on_done({Finish::kCancelled, {}, {}});
        });
    std::lock_guard lock(state_->mutex);
    if (state_->waiting.contains(entry->id)) entry->on_stop = std::move(callback);
  }
  start_more();
}

void Scheduler::start_more() {
  while (true) {
    std::shared_ptr<Entry> next;
    {
      std::lock_guard lock(state_->mutex);
      if (state_->waiting.empty()) return;
      // Oldest of the highest class.
      const auto best = std::min_element(
          state_->waiting.begin(), state_->waiting.end(), [](const auto& a, const auto& b) {
            return a.second->job.request.priority < b.second->job.request.priority;
          });
      const Priority priority = best->second->job.request.priority;
      // A keystroke always gets in: the backend preempts for it. Background work waits for quiet.
      if (priority != Priority::kKeystroke && state_->running.size() >= kMaxRunning) return;
      if (priority == Priority::kBackground && !state_->running.empty()) return;
      next = best->second;
      state_->waiting.erase(best);
      state_->running.emplace(next->id, next);
    }
    next->on_stop.reset();
    auto events = next->job.events;
    events.on_done = [weak = weak_from_this(), id = next->id,
                      done = next->job.events.on_done](const GenerateResult& result) {
      done(result);
      if (const auto self = weak.lock()) self->finished(id, result.usage);
    };
    backend_->submit(std::move(next->job.request), std::move(events), next->job.stop);
  }
}

void Scheduler::finished(std::uint64_t id, const inference::Usage& usage) {
  {
    std::lock_guard lock(state_->mutex);
    const auto entry = state_->running.extract(id);
    if (!entry.empty() && usage.prompt_tokens > 0 &&
        entry.mapped()->job.request.priority == Priority::kKeystroke) {
      auto& sum = state_->keystrokes;
      ++sum.requests;
      sum.prompt_tokens += usage.prompt_tokens;
      sum.reused_tokens += usage.reused_tokens;
      sum.computed_tokens += usage.computed_tokens;
    }
  }
  start_more();
}

KeystrokeWork Scheduler::keystrokes() const {
  std::lock_guard lock(state_->mutex);
  return state_->keystrokes;
}

std::vector<QueueEntry> Scheduler::queue() const {
  const auto now = std::chrono::steady_clock::now();
  std::vector<QueueEntry> out;
  std::lock_guard lock(state_->mutex);
  for (const auto* entries : {&state_->running, &state_->waiting}) {
    for (const auto& [id, entry] : *entries) {
      out.push_back({entry->job.owner, entry->job.what, entry->job.request.priority,
                     entries == &state_->running,
                     std::chrono::duration<double, std::milli>(now - entry->since).count(),
                     entry->prompt_tokens});
    }
  }
  return out;
}

}  // namespace ambit::daemon
