#include "inference/engine/local_backend.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "daemon/support/clock.h"
#include "inference/engine/batcher.h"
#include "inference/engine/job.h"
#include "inference/plan_machine.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {
namespace {

constexpr std::chrono::milliseconds kBeforeSync{300};

class LocalBackend final : public Backend {
 public:
  LocalBackend(std::unique_ptr<StepModel> model, const LocalOptions& options)
      : model_(std::move(model)), options_(options), batcher_(*model_, options_, hooks()) {
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
    info.kv_bytes = batcher_.state_bytes();
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

  Batcher::Hooks hooks() {
    return {.is_wanted =
                [this] {
                  const std::lock_guard lock(mutex_);
                  return !queue_.empty();
                },
            .on_end =
                [this] {
                  const std::lock_guard lock(mutex_);
                  --pending_;
                },
            .on_gone =
                [this](const Error& error) {
                  const std::lock_guard lock(mutex_);
                  problem_ = error.message;
                }};
  }

  void run(const std::stop_token& stop) {
    WarmState& state = batcher_.state();
    while (!stop.stop_requested()) {
      {
        std::unique_lock lock(mutex_);
        const auto called = [&] { return !queue_.empty() || stop.stop_requested(); };
        if (batcher_.empty() && !state.has_writes()) {
          wake_.wait(lock, called);
        } else if (batcher_.empty() && !state.has_backlog()) {
          // The last write waits for the disk, and a keystroke would with it.
          wake_.wait_for(lock, kBeforeSync, called);
        }
        for (JobPtr& job : queue_) batcher_.add(std::move(job));
        queue_.clear();
      }
      if (stop.stop_requested()) break;
      if (batcher_.empty()) {
        state.write_one();
        continue;
      }
      batcher_.step();
    }
    state.flush();
    std::deque<JobPtr> rest;
    {
      const std::lock_guard lock(mutex_);
      rest.swap(queue_);
    }
    for (JobPtr& job : rest) batcher_.add(std::move(job));
    batcher_.cancel_all();
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

  Batcher batcher_;      // the model thread's
  std::jthread thread_;  // last: it uses everything above
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
  const CardOptions card{.cards = o.cards,
                         .state_bytes = 2 * o.state_bytes,
                         .cpu_experts = o.cpu_experts,
                         .state_directory = o.state_directory};
  AMBIT_TRY(opened, open_step_model(path, o.model, o.device, card));
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
