#include "inference/engine/local_backend.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "daemon/support/clock.h"
#include "inference/engine/job.h"
#include "inference/engine/prefill_pace.h"
#include "inference/engine/token_chooser.h"
#include "inference/engine/warm_state.h"
#include "inference/plan_machine.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {
namespace {

constexpr std::chrono::milliseconds kBeforeSync{300};

using TimePoint = Clock::time_point;

class LocalBackend final : public Backend {
 public:
  LocalBackend(std::unique_ptr<StepModel> model, const LocalOptions& options)
      : model_(std::move(model)),
        options_(options),
        state_(model_->pages(), model_->fingerprint(),
               {.bytes = options.state_bytes,
                .directory = options.state_directory,
                .disk_bytes = options.state_disk_bytes,
                .files = options.state_files}),
        chooser_(options.tokenizer, model_->config().vocab_size) {
    context_ = model_->config().max_position_embeddings;
    if (options_.context > 0) context_ = std::min(context_, options_.context);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  ~LocalBackend() override {
    thread_.request_stop();
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
  }

  BackendInfo describe() const override {
    BackendInfo info;
    info.name = options_.name;
    info.arch = "deepseek_v4";
    info.backend = model_->backend();
    info.device = model_->device();
    if (!options_.device_note.empty()) {
      info.device += " (not on the graphics card: " + options_.device_note + ")";
    }
    {
      const std::lock_guard lock(mutex_);
      info.state = problem_.empty() ? BackendState::kReady : BackendState::kUnavailable;
      info.problem = problem_;
    }
    info.weights_bytes = model_->weights_bytes();
    info.kv_bytes = state_.bytes();
    info.context = context_;
    info.vocab_size = static_cast<std::int32_t>(model_->config().vocab_size);
    return info;
  }

  std::shared_ptr<const Tokenizer> tokenizer() const override { return options_.tokenizer; }

  void wake() override {}

  void submit(GenerateRequest request, GenerateEvents events, std::stop_token stop) override {
    auto job = std::make_unique<Job>();
    job->request = std::move(request);
    job->events = std::move(events);
    job->stop = std::move(stop);
    job->submitted = std::chrono::steady_clock::now();
    if (auto problem = check(job->request)) return refuse(*job, std::move(*problem));
    if (!job->request.grammar.empty()) {
      auto grammar = Grammar::parse(job->request.grammar);
      if (!grammar) return refuse(*job, grammar.error());
      job->grammar.emplace(std::move(*grammar));
    }
    const bool full = [&] {
      const std::lock_guard lock(mutex_);
      if (pending_ >= options_.max_queue) return true;
      ++pending_;
      queue_.push_back(std::move(job));
      return false;
    }();
    if (full) {
      return refuse(*job,
                    make_error(Code::kResourceExhausted,
                               "the model's queue is full; try again when it has less to do"));
    }
    wake_.notify_one();
  }

 private:
  std::optional<Error> check(const GenerateRequest& r) const {
    if (r.prompt.empty()) return make_error(Code::kInvalidArgument, "the prompt is empty");
    if (r.max_new_tokens < 0 || r.logprobs < 0 || r.logprobs > 64) {
      return make_error(Code::kInvalidArgument, "max_new_tokens or logprobs is out of range");
    }
    const auto length = static_cast<std::int64_t>(r.prompt.size()) + r.max_new_tokens;
    if (length > context_) {
      return make_error(Code::kInvalidArgument, "prompt and answer need " + std::to_string(length) +
                                                    " tokens, but the context is " +
                                                    std::to_string(context_) +
                                                    "; shorten the prompt");
    }
    const auto vocab = static_cast<TokenId>(model_->config().vocab_size);
    for (const auto& ids : {std::span(r.prompt), std::span(r.answer)}) {
      for (const TokenId id : ids) {
        if (id < 0 || id >= vocab) {
          return make_error(Code::kInvalidArgument, "token id " + std::to_string(id) +
                                                        " is not in the model's vocabulary of " +
                                                        std::to_string(vocab));
        }
      }
    }
    if (r.answer.size() > static_cast<std::size_t>(r.max_new_tokens)) {
      return make_error(Code::kInvalidArgument, "the answer to rate is beyond max_new_tokens");
    }
    if (!r.grammar.empty() && options_.tokenizer == nullptr) {
      return make_error(Code::kUnsupported,
                        "a grammar needs the model's tokenizer.json, which is not beside it");
    }
    return std::nullopt;
  }

  static void refuse(Job& job, Error error) {
    job.result.finish = Finish::kError;
    job.result.error = std::move(error);
    if (job.events.on_done) job.events.on_done(job.result);
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      {
        std::unique_lock lock(mutex_);
        const auto called = [&] { return !queue_.empty() || stop.stop_requested(); };
        if (active_.empty() && !state_.has_writes()) {
          wake_.wait(lock, called);
        } else if (active_.empty() && !state_.has_backlog()) {
          // The last write waits for the disk, and a keystroke would with it.
          wake_.wait_for(lock, kBeforeSync, called);
        }
        for (JobPtr& job : queue_) active_.push_back(std::move(job));
        queue_.clear();
      }
      if (stop.stop_requested()) break;
      if (active_.empty()) {
        state_.write_one();
        continue;
      }
      reap();
      step();
    }
    state_.flush();
    std::deque<JobPtr> rest;
    {
      const std::lock_guard lock(mutex_);
      rest.swap(queue_);
    }
    for (JobPtr& job : rest) active_.push_back(std::move(job));
    for (JobPtr& job : active_) done(*job, Finish::kCancelled);
    active_.clear();
  }

  // Ends what was cancelled or is late.
  void reap() {
    const TimePoint now = std::chrono::steady_clock::now();
    for (JobPtr& job : active_) {
      if (job->stop.stop_requested()) {
        finish(job, Finish::kCancelled);
      } else if (job->request.deadline_ms != 0 &&
                 elapsed_ms(job->submitted, now) >= job->request.deadline_ms) {
        finish(job, Finish::kDeadline);
      }
    }
    std::erase(active_, nullptr);
  }

  // One step of the most urgent class.
  void step() {
    if (active_.empty()) return;
    Priority urgent = Priority::kBackground;
    for (const JobPtr& job : active_) urgent = std::min(urgent, job->request.priority);
    if (urgent != Priority::kBackground) last_wanted_ = std::chrono::steady_clock::now();
    inputs_.clear();
    members_.clear();
    JobPtr* prefilling = nullptr;
    for (JobPtr& job : active_) {
      if (job->request.priority != urgent) continue;
      if (!job->cache) start(*job);
      if (job->decoding) {
        plan_decode(*job);
      } else if (prefilling == nullptr) {
        prefilling = &job;
      }
    }
    std::size_t chunk = 0;
    if (prefilling != nullptr) chunk = plan_prefill(**prefilling, !inputs_.empty());
    const TimePoint before = std::chrono::steady_clock::now();
    const auto vocab = static_cast<std::size_t>(model_->config().vocab_size);
    if (!inputs_.empty()) {
      const Result<StepOutput> stepped = model_->step(inputs_);
      if (!stepped) return fail(stepped.error());
      const StepOutput out = *stepped;
      const double ms = elapsed_ms(before, std::chrono::steady_clock::now());
      if (chunk != 0 && members_.size() == 1) pace_.note(chunk, ms);
      std::size_t first = 0;
      for (std::size_t i = 0; i < members_.size(); ++i) {
        const std::size_t rows = inputs_[i].ids.size() - inputs_[i].logits_from;
        StepOutput part;
        if (out.chosen.empty()) {
          part.logits = out.logits.subspan(first * vocab, rows * vocab);
        } else {
          part.chosen = out.chosen.subspan(first, rows);
        }
        absorb(*members_[i], part, vocab);
        first += rows;
      }
    } else if (prefilling != nullptr) {
      absorb(*prefilling, {}, vocab);  // everything was warm already
    }
    std::erase(active_, nullptr);
    if (urgent == Priority::kBackground) write_behind(1 + chunk / kPageTokens);
    bound_memory();
  }

  // What waits to be written keeps its memory. A background read of a whole repository would have
  // it all wait for its end, so as many pages are written as it reads, unless somebody came in.
  void write_behind(std::size_t pages) {
    const auto wanted = [&] {
      const std::lock_guard lock(mutex_);
      return !queue_.empty();
    };
    for (; pages > 0 && state_.has_backlog() && !wanted(); --pages) state_.write_one();
  }

  void bound_memory() {
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

  void trim_memory() {
    std::vector<const KvCache*> live;
    for (const JobPtr& job : active_) {
      if (job && job->cache) live.push_back(&*job->cache);
    }
    state_.trim(live);
  }

  // A step could not be computed: its members end, their state goes, and when the device is gone so
  // does everything that it kept.
  void fail(const Error& error) {
    if (error.code == Code::kUnavailable) {
      const std::lock_guard lock(mutex_);
      problem_ = error.message;
    }
    for (JobPtr* member : members_) {
      JobPtr job = std::move(*member);
      job->cache.reset();
      job->result.error = error;
      done(*job, Finish::kError);
    }
    std::erase(active_, nullptr);
    trim_memory();
  }

  void start(Job& job) {
    job.started = std::chrono::steady_clock::now();
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

  std::size_t plan_prefill(Job& job, bool shared) {
    const auto done = static_cast<std::size_t>(job.cache->length());
    const std::size_t left = job.request.prompt.size() - done;
    double wait = options_.chunk_ms, most = options_.most_chunk_ms;
    if (job.request.priority == Priority::kBackground) {
      // Somebody types: short steps. Nobody has for a while: long ones, of which the next keystroke
      // waits for one.
      const bool quiet =
          elapsed_ms(last_wanted_, std::chrono::steady_clock::now()) > options_.quiet_after_ms;
      wait = quiet ? options_.most_chunk_ms : options_.background_chunk_ms;
      if (!quiet) most = options_.chunk_ms * 2;
    }
    const std::size_t chunk =
        std::min(pace_.next(shared ? 0.5 * wait : wait, most, max_chunk_), left);
    const std::span<const TokenId> ids(job.request.prompt.data() + done, chunk);
    const bool last = chunk == left && job.request.max_new_tokens > 0;
    if (chunk == 0) return 0;
    add_input(job, ids, last ? chunk - 1 : chunk);
    return chunk;
  }

  void plan_decode(Job& job) {
    job.step_ids.clear();
    job.step_ids.push_back(job.next);
    job.lookup_drafts = 0;
    const std::int64_t left = job.request.max_new_tokens - job.generated;
    const auto& answer = job.request.answer;
    if (!answer.empty()) {
      // All that is left but the last token, which nothing follows.
      const auto known = std::min<std::size_t>(answer.size() - 1, max_chunk_);
      for (auto i = static_cast<std::size_t>(job.generated); i < known; ++i) {
        job.step_ids.push_back(answer[i]);
      }
    } else if (options_.speculate && left > 1) {
      job.lookup->propose(static_cast<std::size_t>(left - 1), job.step_ids);
      job.lookup_drafts = job.step_ids.size() - 1;
      const auto most = std::min(model_->draft_length(), static_cast<std::size_t>(left - 1));
      if (job.lookup_drafts == 0 && most > 0 && job.pace.pays()) {
        // Without a draft the step goes on; what broke shows there.
        (void)model_->propose(*job.cache, job.next, most, job.step_ids);
        if (job.step_ids.size() == 1) job.pace.report(0);
      }
    }
    add_input(job, job.step_ids, 0);
  }

  void add_input(Job& job, std::span<const TokenId> ids, std::size_t logits_from) {
    StepInput& in = inputs_.emplace_back();
    in.cache = &*job.cache;
    in.ids = ids;
    in.logits_from = logits_from;
    // The likeliest tokens come from logits alone.
    if (model_->chooses() && job.request.logprobs == 0 && logits_from < ids.size()) {
      const auto index = static_cast<std::uint64_t>(job.generated);
      chooser_.plan(job.request, index, ids.subspan(logits_from + 1), job.grammar, job.choices);
      in.choices = job.choices.rows;
      in.masks = job.choices.masks;
    }
    for (JobPtr& j : active_) {
      if (j.get() == &job) members_.push_back(&j);
    }
  }

  // Takes a step's logits: decides tokens, rolls rejected drafts back, ends what is complete.
  void absorb(JobPtr& slot, const StepOutput& rows, std::size_t vocab) {
    Job& job = *slot;
    const auto prompt = static_cast<std::int64_t>(job.request.prompt.size());
    if (!job.decoding) {
      if (job.events.on_prefill) job.events.on_prefill(job.cache->length(), prompt);
      if (job.cache->length() < prompt) return;
      job.decoding = true;
      job.decoding_since = std::chrono::steady_clock::now();
      job.result.usage.prefill_ms = elapsed_ms(job.started, job.decoding_since);
      if (job.request.max_new_tokens == 0) return finish(slot, Finish::kLength);
      if (!job.request.answer.empty()) {
        job.request.max_new_tokens = static_cast<std::int32_t>(job.request.answer.size());
      } else if (options_.speculate) {
        job.lookup.emplace(job.request.prompt, job.request.draft);
      }
      job.step_ids.clear();  // the one row that came is the prompt's last
    }
    const std::size_t drafts = job.step_ids.empty() ? 0 : job.step_ids.size() - 1;
    const std::int64_t base = job.cache->length() - static_cast<std::int64_t>(drafts);
    tokens_.clear();
    accepted_.clear();
    std::size_t row = 0;
    std::optional<Finish> end;
    for (;; ++row) {
      const bool by_model = !rows.chosen.empty();
      const auto of_row =
          by_model ? std::span<const float>() : rows.logits.subspan(row * vocab, vocab);
      const auto& answer = job.request.answer;
      const auto& stops = job.request.stop_ids;
      const auto index = static_cast<std::uint64_t>(job.generated);
      std::optional<TokenId> chosen;
      if (by_model) {
        if (rows.chosen[row].id >= 0) chosen = rows.chosen[row].id;
      } else {
        chosen = answer.empty() ? chooser_.choose(of_row, job.request, index, job.grammar)
                                : std::optional(answer[index]);
      }
      if (!chosen ||
          (answer.empty() && std::find(stops.begin(), stops.end(), *chosen) != stops.end())) {
        end = Finish::kStop;
        break;
      }
      const TokenId id = *chosen;
      if (answer.empty()) chooser_.accept(job.grammar, id);
      tokens_.push_back(by_model ? generated(rows.chosen[row])
                                 : chooser_.describe(of_row, id, job.request.logprobs));
      accepted_.push_back(id);
      ++job.generated;
      job.next = id;
      if (job.generated >= job.request.max_new_tokens) {
        end = Finish::kLength;
        break;
      }
      if (row >= drafts || job.step_ids[row + 1] != id) break;
    }
    // Row r followed the step's token r; drafts beyond the last agreeing row go.
    const std::size_t kept = std::min(row, drafts);
    if (kept < drafts) job.cache->truncate(base + static_cast<std::int64_t>(kept));
    Usage& u = job.result.usage;
    u.drafted_tokens += static_cast<std::int64_t>(drafts);
    u.accepted_tokens += static_cast<std::int64_t>(kept);
    if (job.lookup) {
      job.lookup->push(accepted_);
      job.lookup->report(job.lookup_drafts, kept);
      if (drafts > job.lookup_drafts) job.pace.report(kept);
    }
    if (!tokens_.empty() && job.events.on_tokens) job.events.on_tokens(tokens_);
    if (end) finish(slot, *end);
  }

  void finish(JobPtr& slot, Finish how) {
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

  void done(Job& job, Finish how) {
    const TimePoint now = std::chrono::steady_clock::now();
    job.result.finish = how;
    if (job.decoding) job.result.usage.decode_ms = elapsed_ms(job.decoding_since, now);
    {
      const std::lock_guard lock(mutex_);
      --pending_;
    }
    if (job.events.on_done) job.events.on_done(job.result);
  }

  std::unique_ptr<StepModel> model_;
  LocalOptions options_;
  std::int64_t context_ = 0;

  // Guarded by mutex_: requests that the model thread has not taken yet. Full: refused.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string problem_;  // set when the device is gone
  std::deque<JobPtr> queue_;
  std::size_t pending_ = 0;  // queued and active

  // The model thread's.
  WarmState state_;
  std::vector<JobPtr> active_;
  std::vector<StepInput> inputs_;
  std::vector<JobPtr*> members_;  // of active_, in the order of inputs_
  std::vector<GeneratedToken> tokens_;
  std::vector<TokenId> accepted_;
  TokenChooser chooser_;
  PrefillPace pace_;
  const std::size_t max_chunk_ = options_.max_chunk != 0 ? options_.max_chunk : model_->most_rows();
  TimePoint last_wanted_{};  // when a request that somebody waits for was last in work
  std::jthread thread_;      // last: it uses everything above
};

}  // namespace

std::unique_ptr<Backend> make_local_backend(std::unique_ptr<StepModel> model,
                                            const LocalOptions& options) {
  return std::make_unique<LocalBackend>(std::move(model), options);
}

Result<std::unique_ptr<Backend>> open_local_backend(const std::filesystem::path& path,
                                                    const LocalOptions& options) {
  LocalOptions o = options;
  // Warm prefixes and the sequences that are being computed share a card's state memory.
  AMBIT_TRY(opened, open_step_model(path, o.model, o.device, 2 * o.state_bytes));
  o.device_note = opened.note;
  const std::uint64_t limit = opened.model->state_limit();
  if (o.state_bytes == 0) {
    o.state_bytes =
        limit != 0 ? limit / 2 : default_state_bytes(opened.model->config(), usable_memory());
  }
  if (limit != 0) o.state_bytes = std::min(o.state_bytes, limit / 2);
  if (o.tokenizer == nullptr) {
    AMBIT_TRY(tokenizer, checkpoint_tokenizer(path));
    o.tokenizer = std::move(tokenizer);
  }
  if (o.name.empty()) o.name = model_name(path);
  return make_local_backend(std::move(opened.model), o);
}

}  // namespace ambit::inference
