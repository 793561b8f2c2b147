#include "daemon/session/progress.h"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "daemon/session/session.h"

namespace ambit::daemon {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct Progress::Impl : std::enable_shared_from_this<Impl> {
  std::weak_ptr<Session> session;
  std::stop_source stop;
  json partial_token;

  std::mutex mutex;  // guards what follows
  std::string title, message;
  int percentage = kUnknown;
  bool begun = false, ended = false;
  bool posted = false;  // a flush is on its way

  // On the strand.
  json token;
  enum class Use { kNo, kCreating, kYes } use = Use::kNo;
  bool our_token = true;  // the token
  bool sent_begin = false, sent_end = false;
  Clock::time_point last_sent;
  std::unique_ptr<Timer> timer;

  void send(Session& s, json value) {
    s.notify("$/progress", {{"token", token}, {"value", std::move(value)}});
  }

  void open(Session& s) {
    if (!token.is_null()) {
      use = Use::kYes;
      our_token = false;
      s.watch_token(token, stop);
      return flush(s);
    }
    if (!s.client.work_done_progress) return;
    use = Use::kCreating;
    token = s.new_token();
    s.ask("window/workDoneProgress/create", {{"token", token}},
          [self = shared_from_this()](const Answer& answer) {
            self->use = answer ? Use::kYes : Use::kNo;
            const auto session_now = self->session.lock();
            if (!answer || !session_now) return;
            session_now->watch_token(self->token, self->stop);
            self->flush(*session_now);
          });
  }

  void flush(Session& s) {
    if (use != Use::kYes || sent_end) return;
    std::unique_lock lock(mutex);
    posted = false;
    if (!sent_begin) {
      // It was over before the editor agreed to show it. A token that the client gave is used.
      if (ended && our_token) return close(s);
      sent_begin = true;
      json value = {{"kind", "begin"}, {"title", title}, {"cancellable", stop.stop_possible()}};
      add_state(value);
      last_sent = Clock::now();
      send(s, std::move(value));
      if (!ended) return;
    }
    if (ended) {
      json value = {{"kind", "end"}};
      if (!message.empty()) value["message"] = message;
      lock.unlock();
      send(s, std::move(value));
      return close(s);
    }
    const auto due = last_sent + kInterval;
    if (Clock::now() < due) {
      posted = true;
      lock.unlock();
      if (!timer) timer = std::make_unique<Timer>(s.strand);
      timer->start(std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()),
                   [self = shared_from_this()] {
                     if (const auto alive = self->session.lock()) self->flush(*alive);
                   });
      return;
    }
    json value = {{"kind", "report"}, {"cancellable", stop.stop_possible()}};
    add_state(value);
    lock.unlock();
    last_sent = Clock::now();
    send(s, std::move(value));
  }

  void close(Session& s) {
    sent_end = true;
    timer.reset();
    s.forget_token(token);
  }

  void add_state(json& value) const {
    if (percentage >= 0) value["percentage"] = percentage;
    if (!message.empty() && !ended) value["message"] = message;
  }

  void post(void (Impl::*what)(Session&)) {
    if (const auto alive = session.lock()) {
      alive->post([self = shared_from_this(), what](Session& s) { ((*self).*what)(s); });
    }
  }
};

Progress::Progress(std::weak_ptr<Session> session, const json& params, std::stop_source stop)
    : impl_(std::make_shared<Impl>()) {
  impl_->session = std::move(session);
  impl_->stop = std::move(stop);
  const auto token = [&](const char* key) -> json {
    const json& found = member(params, {key});
    return found.is_string() || found.is_number_integer() ? found : json();
  };
  impl_->token = token("workDoneToken");
  impl_->partial_token = token("partialResultToken");
}

Progress::~Progress() {
  end();
}

void Progress::begin(std::string title, int percentage, std::string message) {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->begun || impl_->ended) return;
    impl_->begun = true;
    impl_->posted = true;
    impl_->title = std::move(title);
    impl_->message = std::move(message);
    impl_->percentage = std::min(percentage, 100);
  }
  impl_->post(&Impl::open);
}

void Progress::report(int percentage, std::string message) {
  {
    std::lock_guard lock(impl_->mutex);
    if (!impl_->begun || impl_->ended) return;
    impl_->percentage = std::max(impl_->percentage, std::min(percentage, 100));
    impl_->message = std::move(message);
    if (std::exchange(impl_->posted, true)) return;
  }
  impl_->post(&Impl::flush);
}

void Progress::end(std::string message) {
  {
    std::lock_guard lock(impl_->mutex);
    if (!impl_->begun || impl_->ended) return;
    impl_->ended = true;
    impl_->message = std::move(message);
  }
  impl_->post(&Impl::flush);
}

bool Progress::partial(json part) {
  if (!wants_parts()) return false;
  if (const auto session = impl_->session.lock()) {
    session->post([token = impl_->partial_token, part = std::move(part)](Session& s) {
      s.notify("$/progress", {{"token", token}, {"value", part}});
    });
  }
  return true;
}

bool Progress::wants_parts() const {
  return !impl_->partial_token.is_null();
}

std::stop_token Progress::stop() const {
  return impl_->stop.get_token();
}

}  // namespace ambit::daemon
