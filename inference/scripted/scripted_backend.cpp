#include "inference/scripted/scripted_backend.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <thread>

#include "daemon/support/clock.h"
#include "daemon/support/file.h"
#include "daemon/support/trace.h"
#include "inference/scripted/playback.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {
namespace {

using Time = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

constexpr std::size_t kRememberedPrompts = 32;
constexpr std::size_t kGarbageBytes = 64;

const char* name_of(Priority p) {
  constexpr const char* kNames[] = {"keystroke", "command", "hook", "background"};
  return kNames[static_cast<std::size_t>(p)];
}

const char* name_of(Finish f) {
  constexpr const char* kNames[] = {"stop", "length", "cancelled", "deadline", "error"};
  return kNames[static_cast<std::size_t>(f)];
}

std::string line_of(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

class ScriptedBackend::Impl {
 public:
  Impl(Script script, Options options)
      : script_(std::move(script)),
        tokenizer_(options.tokenizer ? std::move(options.tokenizer) : Tokenizer::bytes()),
        record_(options.record.empty() ? script_.record : options.record),
        state_(script_.state == BackendState::kLoading ? BackendState::kCold : script_.state),
        problem_(script_.problem) {
    used_.resize(script_.rules.size() + 1);
    if (state_ == BackendState::kUnavailable && problem_.empty()) problem_ = "scripted: no model";
    if (script_.state == BackendState::kLoading) wake();
    worker_ = std::thread([this] { run(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    worker_.join();
  }

  BackendInfo describe() const {
    const std::lock_guard lock(mutex_);
    BackendInfo info;
    info.name = script_.name;
    info.arch = "scripted";
    info.backend = "scripted";
    info.device = "script";
    info.state = state_;
    info.problem = state_ == BackendState::kUnavailable ? problem_ : std::string();
    info.context = script_.context;
    info.vocab_size = tokenizer_->vocab_size();
    return info;
  }

  std::shared_ptr<const Tokenizer> tokenizer() const { return tokenizer_; }

  void wake() {
    {
      const std::lock_guard lock(mutex_);
      const bool crashed = state_ == BackendState::kUnavailable && crashed_;
      if (state_ != BackendState::kCold && !crashed) return;
      crashed_ = false;
      state_ = script_.load_ms == 0 ? BackendState::kReady : BackendState::kLoading;
      ready_at_ = std::chrono::steady_clock::now() + Milliseconds(script_.load_ms);
    }
    changed_.notify_all();
  }

  void submit(GenerateRequest request, GenerateEvents events, std::stop_token stop);

 private:
  struct Live : Playback {
    std::uint64_t number = 0;
    // Takes the backend's mutex to wake the worker, so it must be destroyed without it.
    std::optional<std::stop_callback<std::function<void()>>> on_stop;
  };

  int choose(std::string_view prompt, Priority priority, std::vector<std::string>& groups);
  void prepare(Live& live, std::string_view prompt);
  void remember(Live& live);
  void append_record(const nlohmann::json& json);
  void run();
  void finish(std::list<Live>& ended, GenerateResult result);

  const Script script_;
  const std::shared_ptr<const Tokenizer> tokenizer_;
  const std::filesystem::path record_;
  std::mutex record_mutex_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  BackendState state_;
  std::string problem_;
  bool crashed_ = false;
  bool stopping_ = false;
  Time ready_at_;
  std::uint64_t requests_ = 0;
  std::list<Live> live_;            // entries are touched without the mutex by the worker alone
  std::vector<std::int64_t> used_;  // per rule, the default last
  std::deque<std::vector<TokenId>> prompts_;

  std::thread worker_;
};

// The index of the rule that answers, or -1 for the default. With the mutex held.
int ScriptedBackend::Impl::choose(std::string_view prompt, Priority priority,
                                  std::vector<std::string>& groups) {
  for (std::size_t i = 0; i < script_.rules.size(); ++i) {
    const ScriptRule& rule = script_.rules[i];
    if (rule.times >= 0 && used_[i] >= rule.times) continue;
    if (rule_matches(rule, prompt, priority, groups)) return static_cast<int>(i);
  }
  groups.clear();
  return -1;
}

// Chooses the rule and makes the answer. With the mutex held.
void ScriptedBackend::Impl::prepare(Live& live, std::string_view prompt) {
  std::vector<std::string> groups;
  const int index = choose(prompt, live.request.priority, groups);
  const auto slot = index < 0 ? script_.rules.size() : static_cast<std::size_t>(index);
  const ScriptRule& rule = index < 0 ? script_.fallback : script_.rules[slot];
  const auto turn = static_cast<std::size_t>(used_[slot]++);
  live.rule = rule;
  if (!rule.ids.empty()) {
    live.answer = rule.ids;
  } else if (!rule.answers.empty()) {
    const std::string& text = rule.answers[std::min(turn, rule.answers.size() - 1)];
    live.answer = tokenizer_->encode_with_special(expand_answer(rule, text, groups));
  }
  if (rule.fault == ScriptRule::Fault::kGarbage) {
    live.answer.resize(std::min<std::size_t>(live.answer.size(), rule.fault_after));
    std::minstd_rand random(static_cast<std::uint32_t>(live.request.sampling.seed));
    for (std::size_t i = 0; i < kGarbageBytes; ++i) {
      // 0xF5…0xFF never occur in UTF-8.
      const char byte = static_cast<char>(0xF5 + random() % 11);
      live.answer.push_back(tokenizer_->find(std::string_view(&byte, 1)).value_or(0));
    }
  }
  if (!record_.empty()) {
    append_record({{"request", live.number},
                   {"prompt", std::string(prompt)},
                   {"tokens", live.request.prompt.size()},
                   {"priority", name_of(live.request.priority)},
                   {"max_new_tokens", live.request.max_new_tokens},
                   {"grammar", live.request.grammar},
                   {"rule", index}});
  }
}

// Usage, as an engine that keeps the last prompts would count. With the mutex held.
void ScriptedBackend::Impl::remember(Live& live) {
  const auto& prompt = live.request.prompt;
  std::size_t common = 0;
  for (const auto& known : prompts_) {
    const auto end = std::mismatch(prompt.begin(), prompt.end(), known.begin(), known.end()).first;
    common = std::max(common, static_cast<std::size_t>(end - prompt.begin()));
  }
  live.usage.prompt_tokens = static_cast<std::int64_t>(prompt.size());
  live.usage.reused_tokens = static_cast<std::int64_t>(common);
  live.usage.computed_tokens = live.usage.prompt_tokens - live.usage.reused_tokens;
  if (!live.request.keep) return;
  prompts_.push_back(prompt);
  if (prompts_.size() > kRememberedPrompts) prompts_.pop_front();
}

void ScriptedBackend::Impl::append_record(const nlohmann::json& json) {
  const std::lock_guard lock(record_mutex_);
  const auto written = file_system().append(record_, line_of(json));
  if (!written) log(LogLevel::kError, "scripted", written.error().message);
}

void ScriptedBackend::Impl::submit(GenerateRequest request, GenerateEvents events,
                                   std::stop_token stop) {
  const std::string prompt = tokenizer_->decode(request.prompt);
  std::list<Live> entry(1);  // spliced later, so that nothing that refers to it moves
  Live& live = entry.front();
  live.request = std::move(request);
  live.events = std::move(events);
  live.stop = stop;
  live.submitted = std::chrono::steady_clock::now();
  live.on_stop.emplace(stop, [this] {
    { const std::lock_guard lock(mutex_); }
    changed_.notify_all();
  });

  std::optional<Error> refusal;
  {
    const std::lock_guard lock(mutex_);
    live.number = requests_++;
    const auto tokens = static_cast<std::int64_t>(live.request.prompt.size());
    if (state_ == BackendState::kUnavailable) {
      refusal = make_error(Code::kUnavailable, problem_);
    } else if (state_ != BackendState::kReady) {
      refusal = make_error(Code::kUnavailable, "the model is not loaded yet");
    } else if (!live.request.answer.empty()) {
      refusal = make_error(Code::kUnsupported, "a script does not rate answers");
    } else if (live_.size() >= script_.max_requests) {
      refusal = make_error(Code::kResourceExhausted, "too many requests are waiting");
    } else if (tokens + live.request.max_new_tokens > script_.context) {
      refusal = make_error(Code::kInvalidArgument, "the prompt has " + std::to_string(tokens) +
                                                       " tokens; the model's context is " +
                                                       std::to_string(script_.context));
    } else {
      prepare(live, prompt);
      remember(live);
      live.first = live.next = live.submitted + Milliseconds(live.rule.delay_ms);
      if (live.request.deadline_ms != 0) {
        live.deadline = live.submitted + Milliseconds(live.request.deadline_ms);
      }
      live_.splice(live_.end(), entry);
    }
  }
  if (refusal) {
    GenerateResult result;
    result.error = std::move(*refusal);
    live.events.on_done(result);
    return;
  }
  changed_.notify_all();
}

// Tells the requests in `ended` how they ended. Without the mutex.
void ScriptedBackend::Impl::finish(std::list<Live>& ended, GenerateResult result) {
  for (Live& live : ended) {
    const Time now = std::chrono::steady_clock::now();
    live.usage.prefill_ms = elapsed_ms(live.submitted, std::min(now, live.first));
    live.usage.decode_ms = std::max(0.0, elapsed_ms(live.first, now));
    result.usage = live.usage;
    if (!record_.empty()) {
      append_record(
          {{"answer", live.number}, {"finish", name_of(result.finish)}, {"tokens", live.sent}});
    }
    live.events.on_done(result);
  }
}

void ScriptedBackend::Impl::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Time wake_at = Time::max();
    const Time now = std::chrono::steady_clock::now();
    if (state_ == BackendState::kLoading) {
      if (now >= ready_at_) {
        state_ = BackendState::kReady;
      } else {
        wake_at = ready_at_;
      }
    }
    // Requests that arrive during a step are appended, so the iterator stays valid; only this
    // thread removes.
    for (auto it = live_.begin(); it != live_.end();) {
      const auto current = it++;
      const bool due = current->stop.stop_requested() || now >= current->next ||
                       (current->deadline && now >= *current->deadline);
      if (due) {
        lock.unlock();
        std::optional<GenerateResult> result = current->step(tokenizer_->vocab_size());
        lock.lock();
        it = std::next(current);
        if (result) {
          std::list<Live> ended;
          const bool crash =
              current->rule.fault == ScriptRule::Fault::kCrash && result->finish == Finish::kError;
          if (crash) {
            state_ = BackendState::kUnavailable;
            crashed_ = true;
            problem_ = result->error.message;
            prompts_.clear();
            ended.swap(live_);
            it = live_.end();
          } else {
            ended.splice(ended.end(), live_, current);
          }
          lock.unlock();
          finish(ended, std::move(*result));
          ended.clear();
          lock.lock();
          if (crash) break;
          continue;
        }
      }
      wake_at = std::min(wake_at, current->next);
      if (current->deadline) wake_at = std::min(wake_at, *current->deadline);
    }
    // Somebody may have cancelled or submitted while the mutex was free: look before sleeping.
    const bool cancelled = std::any_of(live_.begin(), live_.end(),
                                       [](const Live& live) { return live.stop.stop_requested(); });
    const bool fresh = std::any_of(live_.begin(), live_.end(), [&](const Live& live) {
      return live.next < wake_at || (live.deadline && *live.deadline < wake_at);
    });
    if (stopping_ || cancelled || fresh) continue;
    if (wake_at == Time::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, wake_at);
    }
  }
  std::list<Live> ended;
  ended.swap(live_);
  lock.unlock();
  GenerateResult result;
  result.finish = Finish::kCancelled;
  finish(ended, std::move(result));
}

ScriptedBackend::ScriptedBackend(Script script, Options options)
    : impl_(std::make_unique<Impl>(std::move(script), std::move(options))) {}
ScriptedBackend::~ScriptedBackend() = default;

BackendInfo ScriptedBackend::describe() const {
  return impl_->describe();
}
std::shared_ptr<const Tokenizer> ScriptedBackend::tokenizer() const {
  return impl_->tokenizer();
}
void ScriptedBackend::wake() {
  impl_->wake();
}
void ScriptedBackend::submit(GenerateRequest request, GenerateEvents events, std::stop_token stop) {
  impl_->submit(std::move(request), std::move(events), std::move(stop));
}

Result<std::unique_ptr<ScriptedBackend>> ScriptedBackend::parse(std::string_view json,
                                                                Options options) {
  AMBIT_TRY(script, parse_script(json));
  return std::make_unique<ScriptedBackend>(std::move(script), std::move(options));
}

Result<std::unique_ptr<ScriptedBackend>> ScriptedBackend::load(const std::filesystem::path& path,
                                                               Options options) {
  constexpr std::uint64_t kMaxScript = std::uint64_t{64} << 20;
  AMBIT_TRY(text, read_file(path, kMaxScript));
  auto backend = parse(text, std::move(options));
  if (!backend) {
    return make_error(backend.error().code, path.string() + ": " + backend.error().message);
  }
  return backend;
}

}  // namespace ambit::inference
