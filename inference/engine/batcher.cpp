#include "inference/engine/batcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ambit::inference {
namespace {

using TimePoint = Clock::time_point;

TimePoint now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Batcher::Batcher(StepModel& model, const LocalOptions& options, Hooks hooks)
    : model_(&model),
      options_(options),
      hooks_(std::move(hooks)),
      max_chunk_(options.max_chunk != 0 ? options.max_chunk : model.most_rows()),
      state_(model.pages(), model.fingerprint(),
             {.bytes = options.state_bytes,
              .directory = options.state_directory,
              .disk_bytes = options.state_disk_bytes,
              .files = options.state_files}),
      decoder_(model, options.tokenizer, options.speculate, max_chunk_) {}

void Batcher::reap() {
  const TimePoint at = now();
  for (JobPtr& job : active_) {
    if (job->stop.stop_requested()) {
      finish(job, Finish::kCancelled);
    } else if (job->request.deadline_ms != 0 &&
               elapsed_ms(job->submitted, at) >= job->request.deadline_ms) {
      finish(job, Finish::kDeadline);
    }
  }
  std::erase(active_, nullptr);
}

void Batcher::step() {
  reap();
  if (active_.empty()) return;
  Priority urgent = Priority::kBackground;
  for (const JobPtr& job : active_) urgent = std::min(urgent, job->request.priority);
  if (urgent != Priority::kBackground) last_wanted_ = now();
  inputs_.clear();
  members_.clear();
  JobPtr* prefilling = nullptr;
  for (JobPtr& job : active_) {
    if (job->request.priority != urgent) continue;
    if (!job->cache) start(*job);
    if (job->decoding) {
      decoder_.plan(*job);
      add_input(job, job->step_ids, 0);
    } else if (prefilling == nullptr) {
      prefilling = &job;
    }
  }
  const std::size_t chunk = prefilling != nullptr ? plan_prefill(*prefilling) : 0;
  if (!inputs_.empty()) {
    const TimePoint before = now();
    const Result<StepOutput> out = model_->step(inputs_);
    if (!out) return fail(out.error());
    if (chunk != 0 && members_.size() == 1) pace_.note(chunk, elapsed_ms(before, now()));
    const std::size_t vocab = model_->config().vocab_size;
    std::size_t first = 0;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const std::size_t rows = inputs_[i].ids.size() - inputs_[i].logits_from;
      StepOutput part;
      if (out->chosen.empty()) {
        part.logits = out->logits.subspan(first * vocab, rows * vocab);
      } else {
        part.chosen = out->chosen.subspan(first, rows);
      }
      absorb(*members_[i], part);
      first += rows;
    }
  } else if (prefilling != nullptr) {
    absorb(*prefilling, {});  // everything was warm already
  }
  std::erase(active_, nullptr);
  if (urgent == Priority::kBackground) write_behind(1 + chunk / kPageTokens);
  bound_memory();
}

void Batcher::start(Job& job) {
  job.started = now();
  job.result.usage.queue_ms = elapsed_ms(job.submitted, job.started);
  for (const JobPtr& other : active_) {
    if (other && other->cache && other->request.keep) state_.insert(*other->cache);
  }
  const auto n = static_cast<std::int64_t>(job.request.prompt.size());
  // The last token is computed in any case when its logits are needed.
  const std::int64_t limit = job.request.max_new_tokens > 0 ? n - 1 : n;
  job.cache = state_.find(job.request.prompt, limit);
  Usage& u = job.result.usage;
  u.prompt_tokens = n;
  u.reused_tokens = job.cache->length();
  u.computed_tokens = n - u.reused_tokens;
}

std::size_t Batcher::plan_prefill(JobPtr& job) {
  const GenerateRequest& request = job->request;
  double wait = options_.chunk_ms, most = options_.most_chunk_ms;
  if (request.priority == Priority::kBackground) {
    // Somebody types: short steps. Nobody has for a while: long ones, of which the next keystroke
    // waits for one.
    const bool quiet = elapsed_ms(last_wanted_, now()) > options_.quiet_after_ms;
    wait = quiet ? options_.most_chunk_ms : options_.background_chunk_ms;
    if (!quiet) most = options_.chunk_ms * 2;
  }
  if (!inputs_.empty()) wait *= 0.5;  // others are in the step
  const auto done = static_cast<std::size_t>(job->cache->length());
  const std::size_t left = request.prompt.size() - done;
  const std::size_t chunk = std::min(pace_.next(wait, most, max_chunk_), left);
  if (chunk == 0) return 0;
  const bool last = chunk == left && request.max_new_tokens > 0;
  add_input(job, std::span(request.prompt).subspan(done, chunk), last ? chunk - 1 : chunk);
  return chunk;
}

void Batcher::add_input(JobPtr& job, std::span<const TokenId> ids, std::size_t logits_from) {
  StepInput& in = inputs_.emplace_back();
  in.cache = &*job->cache;
  in.ids = ids;
  in.logits_from = logits_from;
  decoder_.plan_choices(*job, in);
  members_.push_back(&job);
}

void Batcher::absorb(JobPtr& slot, const StepOutput& rows) {
  Job& job = *slot;
  if (!job.decoding) {
    const auto prompt = static_cast<std::int64_t>(job.request.prompt.size());
    if (job.events.on_prefill) job.events.on_prefill(job.cache->length(), prompt);
    if (job.cache->length() < prompt) return;
    job.decoding_since = now();
    job.result.usage.prefill_ms = elapsed_ms(job.started, job.decoding_since);
    job.decoding = true;
    if (job.request.max_new_tokens == 0) return finish(slot, Finish::kLength);
    decoder_.begin(job);
  }
  if (const auto end = decoder_.take(job, rows)) finish(slot, *end);
}

void Batcher::fail(const Error& error) {
  if (error.code == Code::kUnavailable) hooks_.on_gone(error);
  for (JobPtr* member : members_) {
    JobPtr job = std::move(*member);
    job->cache.reset();
    job->result.error = error;
    done(*job, Finish::kError);
  }
  std::erase(active_, nullptr);
  trim_memory();
}

void Batcher::finish(JobPtr& slot, Finish how) {
  Job& job = *slot;
  if (job.cache && !job.decoding) {
    job.result.usage.computed_tokens = job.cache->length() - job.result.usage.reused_tokens;
  }
  if (job.cache && job.request.keep) {
    state_.insert(*job.cache);
    if (job.request.on_disk) state_.persist(*job.cache);
    job.cache.reset();
    trim_memory();
  }
  const JobPtr last = std::move(slot);
  done(*last, how);
}

void Batcher::done(Job& job, Finish how) {
  job.result.finish = how;
  if (job.decoding) job.result.usage.decode_ms = elapsed_ms(job.decoding_since, now());
  hooks_.on_end();
  if (job.events.on_done) job.events.on_done(job.result);
}

void Batcher::cancel_all() {
  for (JobPtr& job : active_) done(*job, Finish::kCancelled);
  active_.clear();
}

// What waits to be written keeps its memory. A background read of a whole repository would have it
// all wait for its end, so as many pages are written as it reads, unless somebody came in.
void Batcher::write_behind(std::size_t pages) {
  for (; pages > 0 && state_.has_backlog() && !hooks_.is_wanted(); --pages) state_.write_one();
}

void Batcher::bound_memory() {
  bool grew = false;
  std::vector<KvCache*> live;
  for (const JobPtr& job : active_) {
    if (!job->cache) continue;
    live.push_back(&*job->cache);
    grew = grew || job->cache->pages().size() != job->pages;
    job->pages = job->cache->pages().size();
  }
  if (grew) state_.bound(live);
}

void Batcher::trim_memory() {
  std::vector<const KvCache*> live;
  for (const JobPtr& job : active_) {
    if (job && job->cache) live.push_back(&*job->cache);
  }
  state_.trim(live);
}

}  // namespace ambit::inference
