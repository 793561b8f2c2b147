// Each running request has a thread of the pool to itself and blocks in HttpClient::perform(): a
// few requests at a time need no more, and every step reads in order. Threads are made when first
// needed and joined by the destructor, which stops what still runs.
#include "inference/remote/openai_backend.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "daemon/support/clock.h"
#include "daemon/support/trace.h"
#include "inference/remote/answer.h"
#include "inference/remote/openai_wire.h"
#include "inference/remote/probe.h"
#include "inference/remote/retry.h"

namespace ambit::inference::remote {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kProbeAgain{5};

GenerateResult failed(Code code, std::string message) {
  return {Finish::kError, make_error(code, std::move(message)), {}};
}

class RemoteBackend final : public Backend {
 public:
  RemoteBackend(RemoteOptions options, std::unique_ptr<HttpClient> client)
      : options_(std::move(options)), client_(std::move(client)) {}

  ~RemoteBackend() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    all_.request_stop();
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  BackendInfo describe() const override {
    std::lock_guard lock(mutex_);
    BackendInfo info;
    info.arch = info.backend = "remote";
    info.name = found_ ? found_->model : options_.model;
    if (info.name.empty()) info.name = std::string(options_.profile->title);
    info.leaves_machine = !options_.url.loopback();
    info.device = std::string(options_.profile->title) + " at " + options_.url.text();
    if (found_) {
      info.device += ", completes by " + std::string(to_string(found_->fim)) + ", converses by " +
                     std::string(to_string(found_->conversation));
      info.context = options_.context > 0 ? options_.context : found_->context;
    }
    info.device += info.leaves_machine ? "; text of allowed repositories leaves this machine, to " +
                                             options_.url.authority()
                                       : "; on this machine";
    if (!options_.exact_tokenizer) info.device += "; token counts are estimates";
    info.state = state_;
    info.problem = state_ == BackendState::kUnavailable ? problem_ : "";
    info.vocab_size = options_.tokenizer->vocab_size();
    return info;
  }

  std::shared_ptr<const Tokenizer> tokenizer() const override { return options_.tokenizer; }

  void wake() override {
    std::lock_guard lock(mutex_);
    if (!stopping_) start_settling();
  }

  void submit(GenerateRequest request, GenerateEvents events, std::stop_token stop) override {
    if (auto refusal = refuse(request)) {
      events.on_done(*refusal);
      return;
    }
    auto shared = std::make_shared<std::pair<GenerateRequest, GenerateEvents>>(std::move(request),
                                                                               std::move(events));
    const auto start = Clock::now();
    const bool taken = run([this, shared, stop, start] {
      const GenerateResult result = serve(shared->first, shared->second, stop, start);
      shared->second.on_done(result);
    });
    if (!taken) {
      shared->second.on_done(
          failed(Code::kResourceExhausted, "too many requests run on the model server; try again"));
    }
  }

 private:
  std::optional<GenerateResult> refuse(const GenerateRequest& request) const {
    if (auto allowed = options_.may_send(request.repository); !allowed) {
      return GenerateResult{Finish::kError, allowed.error(), {}};
    }
    if (!request.grammar.empty()) {
      return failed(Code::kUnsupported, "a remote model takes no grammar");
    }
    if (!request.answer.empty()) {
      return failed(Code::kUnsupported, "a remote model does not rate answers");
    }
    if (request.prompt.empty()) return failed(Code::kInvalidArgument, "the prompt is empty");
    if (request.max_new_tokens <= 0) {
      GenerateResult nothing;
      nothing.finish = Finish::kLength;
      return nothing;
    }
    return std::nullopt;
  }

  // --- the pool

  bool run(std::function<void()> work) {
    std::lock_guard lock(mutex_);
    if (stopping_ || busy_ + work_.size() >= options_.max_requests) return false;
    queue(std::move(work));
    return true;
  }

  // With the mutex held. One thread more than requests: a trial never waits for those that wait
  // for it.
  void queue(std::function<void()> work) {
    work_.push_back(std::move(work));
    if (threads_.size() <= options_.max_requests && work_.size() > threads_.size() - busy_) {
      threads_.emplace_back([this] { loop(); });
    }
    changed_.notify_all();
  }

  void loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || !work_.empty(); });
      // What is queued still runs, to its quick end: its owner waits for on_done.
      if (work_.empty()) return;
      auto work = std::move(work_.front());
      work_.pop_front();
      ++busy_;
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
      --busy_;
    }
  }

  // --- what the server takes

  bool wants_probe() const {
    return state_ == BackendState::kCold ||
           (state_ == BackendState::kUnavailable && Clock::now() - probed_at_ > kProbeAgain);
  }

  // Tries what the server takes and keeps what was found. On a thread of the pool.
  void settle() {
    auto found = probe(*client_, options_, all_.get_token());
    {
      std::lock_guard lock(mutex_);
      probing_ = false;
      probed_at_ = Clock::now();
      if (found) {
        found_ = *found;
        state_ = BackendState::kReady;
      } else {
        problem_ = found.error().message;
        problem_code_ = found.error().code;
        state_ = BackendState::kUnavailable;
      }
      changed_.notify_all();
      if (stopping_) return;
    }
    if (options_.on_change) options_.on_change(describe());
  }

  // With the mutex held.
  void start_settling() {
    if (probing_ || !wants_probe()) return;
    probing_ = true;
    state_ = BackendState::kLoading;
    queue([this] { settle(); });
  }

  // What was found; waits for a trial that runs, or begins one.
  Result<Found> ready(Clock::time_point until, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    start_settling();
    const auto settled = [this] { return !probing_; };
    if (until == Clock::time_point::max()) {
      changed_.wait(lock, stop, settled);
    } else {
      changed_.wait_until(lock, stop, until, settled);
    }
    if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
    if (probing_) return make_error(Code::kTimeout, options_.url.text() + " is slow to answer");
    if (found_) return *found_;
    return make_error(problem_code_, problem_);
  }

  // --- one request

  GenerateResult serve(const GenerateRequest& request, const GenerateEvents& events,
                       const std::stop_token& stop, Clock::time_point start) {
    // The request's own stop and this object's end are one stop for the connection.
    std::stop_source source;
    const auto end = [&source] { source.request_stop(); };
    const std::stop_callback<decltype(end)> on_stop(stop, end);
    const std::stop_callback<decltype(end)> on_end(all_.get_token(), end);
    HttpLimits limits;
    limits.connect = options_.connect_limit;
    limits.silence = options_.silence_limit;
    if (request.deadline_ms > 0) {
      limits.deadline = start + std::chrono::milliseconds(request.deadline_ms);
    }
    const auto found = ready(limits.deadline, source.get_token());
    if (!found && found.error().code == Code::kCancelled) return {Finish::kCancelled, {}, {}};
    if (!found && found.error().code == Code::kTimeout && request.deadline_ms > 0) {
      return {Finish::kDeadline, found.error(), {}};
    }
    if (!found) return {Finish::kError, found.error(), {}};
    const Way way =
        take_apart(*options_.tokenizer, request.prompt).kind == PromptParts::Kind::kConversation
            ? found->conversation
            : found->fim;
    const auto call = make_call(*options_.profile, way, found->model, *options_.tokenizer, request);
    if (!call) return {Finish::kError, call.error(), {}};

    const HttpRequest message = request_of(options_, *call);
    Backoff backoff(options_.first_pause, options_.longest_pause,
                    options_.seed != 0
                        ? options_.seed
                        : static_cast<std::uint64_t>(start.time_since_epoch().count()));
    for (int attempt = 1;; ++attempt) {
      Answer answer(options_, way, request, events);
      HttpEvents http;
      http.on_head = [&](const HttpHead& head) { answer.head(head); };
      http.on_data = [&](std::string_view bytes) { return answer.data(bytes); };
      const auto broke = client_->perform(message, limits, http, source.get_token());
      Answer::End ended = answer.end(broke);
      ended.result.usage.queue_ms = 0;
      if (!ended.retry || attempt >= options_.attempts) return ended.result;
      const auto pause = ended.retry_after ? *ended.retry_after : backoff.next();
      if (limits.deadline != Clock::time_point::max() && Clock::now() + pause >= limits.deadline) {
        return ended.result;
      }
      log(LogLevel::kInfo, "remote", "asking again: " + ended.result.error.message);
      if (!sleep(pause, source.get_token())) {
        ended.result.finish = Finish::kCancelled;
        ended.result.error = {};
        return ended.result;
      }
    }
  }

  static bool sleep(std::chrono::milliseconds pause, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, pause, [] { return false; });
    return !stop.stop_requested();
  }

  const RemoteOptions options_;
  const std::unique_ptr<HttpClient> client_;
  std::stop_source all_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  BackendState state_ = BackendState::kCold;
  std::string problem_;
  Code problem_code_ = Code::kUnavailable;
  std::optional<Found> found_;
  bool probing_ = false, stopping_ = false;
  Clock::time_point probed_at_{};
  std::deque<std::function<void()>> work_;
  std::size_t busy_ = 0;
  std::list<std::thread> threads_;
};

}  // namespace

Result<std::shared_ptr<Backend>> open_remote_backend(RemoteOptions options,
                                                     std::unique_ptr<HttpClient> client) {
  if (!options.may_send) {
    options.may_send = [](const std::string&) -> Result<void> {
      return make_error(Code::kPermission, "no repository may be sent to a remote model");
    };
  }
  if (options.url.path.empty()) options.url.path = "/v1";
  return std::shared_ptr<Backend>(
      std::make_shared<RemoteBackend>(std::move(options), std::move(client)));
}

}  // namespace ambit::inference::remote
