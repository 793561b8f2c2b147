#include "daemon/assists/completion/warm_prefix.h"

#include <algorithm>

#include "daemon/support/trace.h"

namespace ambit::daemon {

using inference::Finish;

std::vector<inference::TokenId> prefix_ids(
    TokenCache& tokens, const std::shared_ptr<const inference::Tokenizer>& tokenizer,
    const std::vector<indexer::PackSpan>& spans) {
  std::vector<inference::TokenId> ids;
  if (tokenizer->special().bos >= 0) ids.push_back(tokenizer->special().bos);
  for (const auto& span : spans) {
    const auto of_span = tokens.encode(tokenizer, span.text);
    ids.insert(ids.end(), of_span->begin(), of_span->end());
  }
  return ids;
}

indexer::TokenCounter counter_of(TokenCache& tokens,
                                 std::shared_ptr<const inference::Tokenizer> tokenizer) {
  return [&tokens, tokenizer = std::move(tokenizer)](std::string_view text) {
    return static_cast<std::int64_t>(tokens.encode(tokenizer, text)->size());
  };
}

std::function<std::int64_t(std::span<const std::string>, std::span<const std::string>)>
shared_tokens_of(TokenCache& tokens, std::shared_ptr<const inference::Tokenizer> tokenizer) {
  return [&tokens, tokenizer = std::move(tokenizer)](std::span<const std::string> a,
                                                     std::span<const std::string> b) {
    const auto ids_of = [&](std::span<const std::string> texts) {
      std::vector<inference::TokenId> ids;
      for (const std::string& text : texts) {
        const auto more = tokens.encode(tokenizer, text);
        ids.insert(ids.end(), more->begin(), more->end());
      }
      return ids;
    };
    const auto before = ids_of(a);
    const auto now = ids_of(b);
    return std::mismatch(before.begin(), before.end(), now.begin(), now.end()).first -
           before.begin();
  };
}

std::string_view WarmPrefix::Status::name() const {
  switch (state) {
    case State::kOff:
      return "off";
    case State::kWaiting:
      return "waiting";
    case State::kReading:
      return "reading";
    case State::kWarm:
      return "warm";
  }
  return "off";
}

void WarmPrefix::want(std::int64_t budget_tokens, std::vector<std::string> around) {
  {
    std::lock_guard lock(mutex_);
    if (status_.budget == budget_tokens) return;
    status_ = {budget_tokens > 0 ? State::kWaiting : State::kOff, budget_tokens};
    around_ = std::move(around);
    part_ = nullptr;
  }
  look_again();
}

void WarmPrefix::look_again() {
  {
    std::lock_guard lock(mutex_);
    if (status_.budget <= 0) return;
    again_ = true;
    if (running_) return;
    running_ = true;
  }
  parts_.work([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

bool WarmPrefix::ready(std::int64_t budget_tokens) const {
  std::lock_guard lock(mutex_);
  return ready_budget_ == budget_tokens && ready_engine_ == parts_.engine();
}

WarmPrefix::Status WarmPrefix::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void WarmPrefix::watch(std::function<bool(const Status&)> observer) {
  {
    std::lock_guard lock(mutex_);
    observers_.push_back(std::move(observer));
  }
  tell();
}

void WarmPrefix::tell() {
  std::vector<std::function<bool(const Status&)>> observers;
  Status now;
  {
    std::lock_guard lock(mutex_);
    observers = std::exchange(observers_, {});
    now = status_;
  }
  std::erase_if(observers, [&](const auto& observer) { return !observer(now); });
  std::lock_guard lock(mutex_);
  observers_.insert(observers_.end(), observers.begin(), observers.end());
}

// On a cpu thread. Decides what should be read; reading ends in finish().
void WarmPrefix::run() {
  std::int64_t budget = 0;
  std::vector<std::string> around;
  std::shared_ptr<const indexer::StablePart> former;
  {
    std::lock_guard lock(mutex_);
    again_ = false;
    budget = status_.budget;
    around = around_;
    former = part_;
  }
  const auto tokenizer = parts_.scheduler->backend()->tokenizer();
  const int engine = parts_.engine();
  if (!tokenizer) return finish(State::kWaiting);
  const auto part = parts_.packer->propose(budget, around, counter_of(*parts_.tokens, tokenizer),
                                           stop_.get_token());
  if (!part) return finish(State::kWaiting);  // the index is not there yet: look_again() comes
  std::unique_lock lock(mutex_);
  if (status_.budget != budget) {
    lock.unlock();
    return finish(State::kWaiting);
  }
  if (*part == former && engine == engine_ && status_.done == status_.tokens) {
    lock.unlock();
    return finish((*part)->spans.empty() ? State::kOff : State::kWarm);
  }
  if (*part != former) status_.done = 0;
  part_ = *part;
  engine_ = engine;
  ids_ = std::make_shared<const std::vector<inference::TokenId>>(
      prefix_ids(*parts_.tokens, tokenizer, part_->spans));
  status_.tokens = part_->spans.empty() ? 0 : static_cast<std::int64_t>(ids_->size());
  status_.done = 0;
  if (status_.tokens == 0) {
    lock.unlock();
    return finish(State::kOff);
  }
  status_.state = State::kReading;
  lock.unlock();
  tell();
  read_on();
}

void WarmPrefix::read_on() {
  Job job;
  std::int64_t next = 0;
  {
    std::lock_guard lock(mutex_);
    next = std::min(status_.tokens, status_.done + static_cast<std::int64_t>(kPiece));
    job.request.prompt.assign(ids_->begin(), ids_->begin() + next);
  }
  job.owner = parts_.root;
  job.what = "warm prefix";
  job.stop = stop_.get_token();
  job.request.repository = parts_.root;
  job.request.priority = inference::Priority::kBackground;
  job.request.on_disk = true;
  job.events.on_done = [weak = weak_from_this(), next](const inference::GenerateResult& result) {
    const auto self = weak.lock();
    if (!self || self->stop_.stop_requested()) return;
    if (result.finish == Finish::kError || result.finish == Finish::kCancelled) {
      if (!result.error.message.empty()) {
        log(LogLevel::kWarning, "completion", "the warm prefix: " + result.error.message);
      }
      return self->finish(State::kWaiting);
    }
    bool all = false;
    {
      std::lock_guard lock(self->mutex_);
      self->status_.done = next;
      all = next == self->status_.tokens;
    }
    // What is cached already is read in no time; a thread of ours, so that this is no recursion.
    self->parts_.work([weak, all] {
      const auto us = weak.lock();
      if (!us) return;
      if (!all) {
        us->tell();
        return us->read_on();
      }
      std::shared_ptr<const indexer::StablePart> part;
      {
        std::lock_guard lock(us->mutex_);
        part = us->part_;
      }
      us->parts_.packer->adopt(part);
      us->finish(State::kWarm);
    });
  };
  parts_.scheduler->submit(std::move(job));
}

void WarmPrefix::finish(State state) {
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    status_.state = status_.budget > 0 ? state : State::kOff;
    if (part_ != nullptr && (state == State::kWarm || state == State::kOff)) {
      ready_budget_ = status_.budget;
      ready_engine_ = engine_;
    }
    again = again_;
    if (!again) running_ = false;
  }
  tell();
  if (again) {
    parts_.work([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->run();
    });
  }
}

}  // namespace ambit::daemon
