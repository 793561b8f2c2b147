#include "daemon/record/backends.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

namespace ambit::daemon {

using inference::BackendInfo;
using inference::Finish;
using inference::GeneratedToken;
using inference::GenerateEvents;
using inference::GenerateRequest;
using inference::GenerateResult;
using nlohmann::json;

namespace {

constexpr const char* kFinishes[] = {"stop", "length", "cancelled", "deadline", "error"};

json to_json(const BackendInfo& info) {
  return {{"name", info.name},
          {"arch", info.arch},
          {"backend", info.backend},
          {"device", info.device},
          {"weights_bytes", info.weights_bytes},
          {"context", info.context},
          {"vocab_size", info.vocab_size},
          {"leaves_machine", info.leaves_machine}};
}

class RecordingBackend final : public inference::Backend {
 public:
  RecordingBackend(std::shared_ptr<inference::Backend> inner, std::shared_ptr<Recorder> recorder)
      : inner_(std::move(inner)), recorder_(std::move(recorder)) {}

  [[nodiscard]] BackendInfo describe() const override { return inner_->describe(); }
  [[nodiscard]] std::shared_ptr<const inference::Tokenizer> tokenizer() const override {
    return inner_->tokenizer();
  }
  void wake() override { inner_->wake(); }

  void submit(GenerateRequest request, GenerateEvents events, std::stop_token stop) override {
    // Reading ahead says nothing, and happens as time allows.
    if (request.max_new_tokens == 0) {
      return inner_->submit(std::move(request), std::move(events), std::move(stop));
    }
    std::uint64_t number = 0;
    {
      std::lock_guard lock(mutex_);
      number = ++asked_;
      if (number == 1) recorder_->write({{"model", to_json(inner_->describe())}});
      recorder_->write({{"ask", number}, {"prompt", request.prompt}});
    }
    GenerateEvents both = events;
    both.on_tokens = [recorder = recorder_, number,
                      then = events.on_tokens](std::span<const GeneratedToken> tokens) {
      json ids = json::array(), logprobs = json::array();
      for (const auto& token : tokens) {
        ids.push_back(token.id);
        logprobs.push_back(token.logprob);
      }
      recorder->write({{"say", number}, {"ids", ids}, {"logprobs", logprobs}});
      if (then) then(tokens);
    };
    both.on_done = [recorder = recorder_, number,
                    then = events.on_done](const GenerateResult& result) {
      json line = {{"done", number}, {"finish", kFinishes[static_cast<int>(result.finish)]}};
      if (result.finish == Finish::kError) line["error"] = result.error.message;
      recorder->write(std::move(line));
      if (then) then(result);
    };
    inner_->submit(std::move(request), std::move(both), std::move(stop));
  }

 private:
  const std::shared_ptr<inference::Backend> inner_;
  const std::shared_ptr<Recorder> recorder_;
  std::mutex mutex_;  // numbers in the order of their lines
  std::uint64_t asked_ = 0;
};

std::size_t common_end(const std::vector<inference::TokenId>& a,
                       const std::vector<inference::TokenId>& b) {
  const auto mismatch = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  return static_cast<std::size_t>(mismatch.first - a.rbegin());
}

}  // namespace

std::shared_ptr<inference::Backend> recording_backend(std::shared_ptr<inference::Backend> inner,
                                                      std::shared_ptr<Recorder> recorder) {
  return std::make_shared<RecordingBackend>(std::move(inner), std::move(recorder));
}

struct ReplayBackend::Entry {
  std::vector<inference::TokenId> prompt;
  std::size_t after = 0;    // as many lines of the editor
  std::deque<json> passed;  // lines that came before somebody asked
  bool taken = false;
  // Of the thread, once taken.
  GenerateEvents events;
  bool ended = false;

  void end(const GenerateResult& result) {
    if (std::exchange(ended, true)) return;
    if (events.on_done) events.on_done(result);
  }
  void hear(const json& line) {
    if (ended) return;
    if (line.contains("say")) {
      std::vector<GeneratedToken> tokens;
      for (std::size_t i = 0; i < line["ids"].size(); ++i) {
        tokens.push_back({line["ids"][i], line.at("logprobs").at(i), {}});
      }
      if (events.on_tokens) events.on_tokens(tokens);
      return;
    }
    const auto named = std::find(std::begin(kFinishes), std::end(kFinishes),
                                 line.value("finish", std::string("error")));
    GenerateResult result;
    result.finish = static_cast<Finish>(
        std::min<std::ptrdiff_t>(named - std::begin(kFinishes), std::size(kFinishes) - 1));
    // Whoever cancelled it then does so now.
    if (result.finish == Finish::kCancelled) return;
    if (result.finish == Finish::kError) {
      result.error = make_error(Code::kUnavailable, line.value("error", std::string()));
    }
    end(result);
  }
};

// Everything that is told to whoever asked is told by one thread, in order.
struct ReplayBackend::Teller {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<std::function<void()>> jobs;
  std::jthread thread{[this](const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    while (changed.wait(lock, stop, [&] { return !jobs.empty(); })) {
      auto job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }};
  void tell(std::function<void()> job) {
    std::lock_guard lock(mutex);
    jobs.push_back(std::move(job));
    changed.notify_all();
  }
};

ReplayBackend::ReplayBackend(const std::vector<json>& lines,
                             std::shared_ptr<const inference::Tokenizer> tokenizer)
    : tokenizer_(std::move(tokenizer)), teller_(std::make_shared<Teller>()) {
  info_.name = "replay";
  std::size_t said = 0;
  for (const auto& line : lines) {
    if (line.contains("editor")) {
      ++said;
    } else if (line.contains("ask")) {
      auto entry = std::make_shared<Entry>();
      entry->after = said;
      entry->prompt = line.at("prompt").get<std::vector<inference::TokenId>>();
      entries_.push_back(std::move(entry));
    } else if (const auto model = line.find("model"); model != line.end() && model->is_object()) {
      info_.name = model->value("name", "");
      info_.arch = model->value("arch", "");
      info_.backend = model->value("backend", "");
      info_.device = model->value("device", "");
      info_.weights_bytes = model->value("weights_bytes", std::uint64_t{0});
      info_.context = model->value("context", std::int64_t{0});
      info_.vocab_size = model->value("vocab_size", 0);
      info_.leaves_machine = model->value("leaves_machine", false);
    }
  }
  info_.state = inference::BackendState::kReady;
}

ReplayBackend::~ReplayBackend() = default;

BackendInfo ReplayBackend::describe() const {
  return info_;
}

std::shared_ptr<ReplayBackend::Entry> ReplayBackend::match(const GenerateRequest& request) {
  std::shared_ptr<Entry> like;
  std::size_t best = 0;
  for (const auto& entry : entries_) {
    if (entry->taken) continue;
    if (entry->prompt == request.prompt) {
      ++count_.same_prompt;
      return entry;
    }
    if (entry->after > said_) continue;
    if (const auto n = common_end(entry->prompt, request.prompt); n > best) {
      best = n;
      like = entry;
    }
  }
  ++(like ? count_.like_prompt : count_.unknown);
  return like;
}

void ReplayBackend::submit(GenerateRequest request, GenerateEvents events, std::stop_token stop) {
  if (request.max_new_tokens == 0) {
    return teller_->tell([events = std::move(events)] {
      GenerateResult result;
      result.finish = Finish::kLength;
      if (events.on_done) events.on_done(result);
    });
  }
  std::unique_lock lock(mutex_);
  ++count_.asked;
  const auto entry = finished_ ? nullptr : match(request);
  if (!entry) {
    lock.unlock();
    teller_->tell([events = std::move(events)] {
      GenerateResult result;
      result.error = make_error(Code::kUnavailable, "the recording has no answer to this");
      events.on_done(result);
    });
    return;
  }
  entry->taken = true;
  entry->events = std::move(events);
  for (auto& line : std::exchange(entry->passed, {})) {
    teller_->tell([entry, line = std::move(line)] { entry->hear(line); });
  }
  lock.unlock();
  watch(entry, std::move(stop));
}

void ReplayBackend::watch(const std::shared_ptr<Entry>& entry, std::stop_token stop) {
  const auto cancelled = [entry] {
    GenerateResult result;
    result.finish = Finish::kCancelled;
    entry->end(result);
  };
  if (!stop.stop_possible()) return;
  auto callback = std::make_unique<Watch>(std::move(stop),
                                          [teller = std::weak_ptr(teller_), cancelled]() mutable {
                                            if (const auto alive = teller.lock())
                                              alive->tell(cancelled);
                                          });
  std::lock_guard lock(watches_mutex_);
  watches_.push_back(std::move(callback));
}

void ReplayBackend::pass(const json& line) {
  const bool say = line.contains("say"), editor = line.contains("editor");
  if (!say && !editor && !line.contains("done")) return;
  std::lock_guard lock(mutex_);
  if (editor) {
    ++said_;
    return;
  }
  const auto number = line.at(say ? "say" : "done").get<std::size_t>();
  if (number == 0 || number > entries_.size()) return;
  const auto& entry = entries_[number - 1];
  if (!entry->taken) {
    entry->passed.push_back(line);
    return;
  }
  teller_->tell([entry, line] { entry->hear(line); });
}

void ReplayBackend::finish() {
  std::lock_guard lock(mutex_);
  finished_ = true;
  for (const auto& entry : entries_) {
    if (!entry->taken) continue;
    teller_->tell([entry] {
      GenerateResult result;
      result.error = make_error(Code::kUnavailable, "the recording ends here");
      entry->end(result);
    });
  }
}

ReplayBackend::Count ReplayBackend::count() const {
  std::lock_guard lock(mutex_);
  return count_;
}

}  // namespace ambit::daemon
