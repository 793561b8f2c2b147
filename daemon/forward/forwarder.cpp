#include "daemon/forward/forwarder.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>

#include "daemon/forward/mirror.h"
#include "daemon/version.h"
#include "lsp/framing.h"
#include "lsp/message.h"

namespace ambit::daemon {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Whoever has this much unread waits until the other side has caught up. The daemon is given more,
// so that an editor that writes is always listened to, and so always comes to reading.
constexpr std::size_t kMaxToEditor = std::size_t{4} << 20;
constexpr std::size_t kMaxToDaemon = std::size_t{1} << 30;
constexpr std::chrono::milliseconds kLastWords{1000};

std::string reply(std::string_view id, const char* member, const json& value) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + ",\"" + member +
         "\":" + value.dump(-1, ' ', false, json::error_handler_t::replace) + "}";
}

// Bytes on their way out. Neither side is ever waited for while the other has something to say:
// two processes that both wait for room would wait for ever.
class OutQueue {
 public:
  void push(std::string bytes) {
    if (bytes_.empty()) {
      bytes_ = std::move(bytes);
    } else {
      bytes_ += bytes;
    }
  }
  void clear() {
    bytes_ = {};
    sent_ = 0;
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size() - sent_; }

  // Writes what fits at once. False when nobody reads any more.
  bool flush(int fd) {
    while (size() > 0) {
      ssize_t n = ::send(fd, bytes_.data() + sent_, size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == ENOTSOCK) {
        // A pipe that is ready takes this many bytes without blocking.
        pollfd ready{fd, POLLOUT, 0};
        if (::poll(&ready, 1, 0) <= 0) return true;
        n = ::write(fd, bytes_.data() + sent_, std::min<std::size_t>(size(), PIPE_BUF));
      }
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
      if (n <= 0) return false;
      sent_ += static_cast<std::size_t>(n);
    }
    clear();
    return true;
  }
  // The same, waiting for a slow reader, for the last words.
  void drain(int fd, std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (size() > 0 && Clock::now() < until && flush(fd) && size() > 0) {
      pollfd ready{fd, POLLOUT, 0};
      (void)::poll(&ready, 1, 50);
    }
  }

 private:
  std::string bytes_;
  std::size_t sent_ = 0;
};

class Forwarder {
 public:
  Forwarder(int in, int out, ForwardOptions options)
      : in_(in), out_(out), options_(std::move(options)) {
    watch_editor(options_.editor);
  }

  int run() {
    if (auto fd = options_.connect()) {
      attach(std::move(*fd));
    } else {
      give_up("Ambit is inactive: " + fd.error().message +
              ". Correct this, then restart the language server.");
    }
    while (!exit_code_) {
      if (state_ == State::kWaiting && Clock::now() >= try_at_) reconnect();
      if (!editor_queue_.flush(out_)) exit_code_ = 1;
      // A daemon that is gone shows as the end of its stream, and everything is replayed then.
      if (daemon_ && !daemon_queue_.flush(daemon_.get())) daemon_queue_.clear();
      if (exit_code_) break;
      const auto events = [](bool reads, bool writes) {
        return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
      };
      const bool says = editor_queue_.size() > 0, same = in_ == out_;
      pollfd fds[4] = {
          {in_, events(daemon_queue_.size() < kMaxToDaemon, same && says), 0},
          {daemon_.get(), events(editor_queue_.size() < kMaxToEditor, daemon_queue_.size() > 0), 0},
          {parent_.get(), POLLIN, 0},
          {says && !same ? out_ : -1, POLLOUT, 0}};
      int timeout = -1;
      if (state_ == State::kWaiting) {
        timeout = static_cast<int>(std::max<std::int64_t>(
            1, std::chrono::ceil<std::chrono::milliseconds>(try_at_ - Clock::now()).count()));
      }
      if (::poll(fds, 4, timeout) < 0) {
        if (errno == EINTR) continue;
        return 1;
      }
      if (fds[2].revents != 0) return 1;  // the editor died
      if ((fds[1].revents & ~POLLOUT) != 0) read_daemon();
      if ((fds[0].revents & ~POLLOUT) != 0 && !exit_code_) read_editor();
    }
    if (daemon_) daemon_queue_.drain(daemon_.get(), kLastWords);
    editor_queue_.drain(out_, kLastWords);
    return *exit_code_;
  }

 private:
  enum class State {
    kConnected,
    kWaiting,   // to reconnect at try_at_
    kAsleep,    // stopped on purpose: reconnects for the editor's next request
    kInactive,  // for good
  };

  void attach(FileDescriptor fd) {
    daemon_ = std::move(fd);
    daemon_queue_.clear();
    from_daemon_ = lsp::FrameReader();
    state_ = State::kConnected;
  }

  void read_daemon() {
    const auto n = ::read(daemon_.get(), buffer_.data(), buffer_.size());
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) return daemon_is_gone();
    from_daemon_.feed({buffer_.data(), static_cast<std::size_t>(n)});
    while (auto event = from_daemon_.next()) {
      if (auto* frame = std::get_if<lsp::Frame>(&*event)) from_daemon(frame->body);
    }
  }

  void read_editor() {
    const auto n = ::read(in_, buffer_.data(), buffer_.size());
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) {
      exit_code_ = mirror_.shut_down() ? 0 : 1;
      return;
    }
    from_editor_.feed({buffer_.data(), static_cast<std::size_t>(n)});
    while (auto event = from_editor_.next()) {
      if (auto* frame = std::get_if<lsp::Frame>(&*event)) {
        from_editor(frame->body);
        if (exit_code_) return;
      } else {
        const auto& error = std::get<Error>(*event);
        const auto code = error.code == Code::kResourceExhausted ? lsp::ErrorCode::kInvalidRequest
                                                                 : lsp::ErrorCode::kParseError;
        to_editor(lsp::encode_error(std::nullopt, {code, error.message, {}}));
      }
    }
  }

  void from_editor(const std::string& body) {
    if (options_.watch) options_.watch(true, body);
    const auto head = read_head(body);
    if (head) {
      if (!mirror_.from_editor(*head, body)) return;
      if (head->method == "initialize") watch_parent(head->params);
      if (head->method == "exit") {
        to_daemon(body);
        exit_code_ = mirror_.shut_down() ? 0 : 1;
        return;
      }
      if (state_ == State::kInactive) return answer_with_nothing();
      if (state_ == State::kAsleep && head->is_request()) return reconnect();  // replays it too
    }
    to_daemon(body);
  }

  void from_daemon(const std::string& body) {
    const auto head = read_head(body);
    if (!head) return to_editor(body);
    switch (mirror_.from_daemon(*head, body)) {
      case Mirror::Route::kPass:
        return to_editor(body);
      case Mirror::Route::kAnswer:
        return to_daemon(reply(head->id, "result", nullptr));
      case Mirror::Route::kDrop:
        return;
    }
  }

  void daemon_is_gone() {
    daemon_.reset();
    daemon_queue_.clear();
    for (const auto& message : mirror_.detach()) to_editor(message);
    if (mirror_.shut_down()) {
      // Nothing but exit may follow, and that needs no daemon.
      state_ = State::kInactive;
      return answer_with_nothing();
    }
    if (!mirror_.initializing() && options_.stopped && options_.stopped()) {
      state_ = State::kAsleep;
      return answer_with_nothing();
    }
    died_ = true;
    try_again();
  }

  void try_again() {
    const auto now = Clock::now();
    while (!deaths_.empty() && now - deaths_.front() > options_.window) deaths_.pop_front();
    if (deaths_.size() >= options_.pauses.size()) {
      return give_up("Ambit is inactive: its daemon " +
                     (problem_.empty()
                          ? "ended " + std::to_string(deaths_.size() + 1) + " times in a row"
                          : "does not start: " + problem_) +
                     ". See `ambit doctor`, then restart the language server.");
    }
    try_at_ = now + options_.pauses[deaths_.size()];
    deaths_.push_back(now);
    state_ = State::kWaiting;
  }

  void reconnect() {
    auto fd = options_.connect();
    if (!fd) {
      problem_ = fd.error().message;
      return try_again();
    }
    problem_.clear();
    attach(std::move(*fd));
    const auto replay = mirror_.replay();
    for (const auto& message : replay.to_daemon) to_daemon(message);
    for (const auto& message : replay.to_editor) to_editor(message);
    if (died_ && !told_ && mirror_.initialized()) {
      say("Ambit's daemon ended and was started again.");
      told_ = true;
    }
    died_ = false;
  }

  void give_up(std::string why) {
    state_ = State::kInactive;
    why_ = std::move(why);
    if (mirror_.initialized()) say_why();
    answer_with_nothing();
  }

  // Results that mean "nothing" in the method's own type; what somebody asked for by hand is told
  // why instead.
  void answer_with_nothing() {
    for (const auto& body : mirror_.take_unanswered()) {
      const auto head = read_head(body);
      const auto& method = head->method;
      if (method == "initialize") {
        to_editor(reply(head->id, "result",
                        {{"capabilities", json::object()},
                         {"serverInfo", {{"name", "ambit"}, {"version", version()}}}}));
        say_why();
      } else if (!mirror_.initialized()) {
        to_editor(
            reply(head->id, "error", {{"code", -32002}, {"message", "send initialize first"}}));
      } else if (method == "shutdown" || method == "textDocument/inlineCompletion" ||
                 method == "textDocument/completion" || method == "textDocument/codeAction") {
        to_editor(reply(head->id, "result", nullptr));
      } else if (method == "textDocument/diagnostic") {
        to_editor(reply(head->id, "result", {{"kind", "full"}, {"items", json::array()}}));
      } else if (method == "workspace/diagnostic") {
        to_editor(reply(head->id, "result", {{"items", json::array()}}));
      } else {
        to_editor(reply(
            head->id, "error",
            {{"code", -32803}, {"message", why_.empty() ? "Ambit's daemon has ended" : why_}}));
      }
    }
  }

  void say_why() {
    if (why_.empty() || why_said_) return;
    why_said_ = true;
    say(why_);
  }
  void say(const std::string& text) {
    to_editor(json{{"jsonrpc", "2.0"},
                   {"method", "window/showMessage"},
                   {"params", {{"type", 2}, {"message", text}}}}
                  .dump(-1, ' ', false, json::error_handler_t::replace));
  }

  void to_daemon(std::string_view body) {
    if (daemon_) daemon_queue_.push(lsp::frame(body));  // else the mirror knows it
  }
  void to_editor(std::string_view body) {
    if (options_.watch) options_.watch(false, body);
    editor_queue_.push(lsp::frame(body));
  }

  void watch_parent(std::string_view params_text) {
    const auto params = json::parse(params_text, nullptr, false);
    if (!params.is_object()) return;
    const auto pid = params.find("processId");
    if (pid == params.end() || !pid->is_number_integer()) return;
    watch_editor(pid->get<std::int64_t>());
  }
  void watch_editor(std::int64_t number) {
    if (number <= 0 || number > (1 << 22)) return;
    parent_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, number, 0)));
  }

  const int in_, out_;
  const ForwardOptions options_;
  State state_ = State::kInactive;
  FileDescriptor daemon_, parent_;
  lsp::FrameReader from_editor_, from_daemon_;
  OutQueue editor_queue_, daemon_queue_;
  Mirror mirror_;
  Clock::time_point try_at_;
  std::deque<Clock::time_point> deaths_;
  std::string problem_;  // why the last reconnection failed
  std::string why_;      // it is inactive
  bool died_ = false, told_ = false, why_said_ = false;
  std::array<char, 65536> buffer_;
  std::optional<int> exit_code_;
};

}  // namespace

int forward(int in, int out, ForwardOptions options) {
  return Forwarder(in, out, std::move(options)).run();
}

}  // namespace ambit::daemon
