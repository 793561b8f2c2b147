// One mutex guards the state; frames are written under a second one, so that a slow write never
// holds up describe(). Lock order: state before write. Callbacks run with neither held.
#include "daemon/scheduling/engine_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "daemon/net/local_socket.h"
#include "daemon/scheduling/engine_wire.h"
#include "daemon/support/trace.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::daemon {

namespace {

using inference::BackendInfo;
using inference::BackendState;
using inference::Finish;
using inference::GenerateEvents;
using inference::GenerateRequest;
using inference::GenerateResult;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kDeathsAllowed = 3;
constexpr std::chrono::seconds kDeathWindow{60};
constexpr std::chrono::milliseconds kGrace{1500};

GenerateResult failed(Code code, std::string message) {
  return {Finish::kError, make_error(code, std::move(message)), {}};
}

// A child whose socket is closed ends by itself, after saving its state; one that does not within
// the grace is killed. Returns the status of waitpid().
int reap(pid_t pid, std::chrono::milliseconds grace) {
  const FileDescriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{handle.get(), POLLIN, 0};
  if (!handle || ::poll(&ended, 1, static_cast<int>(grace.count())) <= 0) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

struct Child {
  pid_t pid = 0;
  FileDescriptor fd;
};

Result<Child> spawn(const EngineOptions& options) {
  AMBIT_TRY(ends, socket_pair());
  constexpr int kChildFd = 3;
  std::vector<std::string> words{options.executable.string(), "engine", "--fd",
                                 std::to_string(kChildFd)};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, 2, 1);  // stdout belongs to the protocol
  posix_spawn_file_actions_adddup2(&actions, ends.second.get(), kChildFd);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: Ctrl-C in the daemon's terminal is the daemon's to handle.
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, words[0].c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return make_error(Code::kUnavailable, "the engine process does not start: " + words[0] + ": " +
                                              std::generic_category().message(error));
  }
  return Child{pid, std::move(ends.first)};
}

}  // namespace

struct EngineClient::Impl : std::enable_shared_from_this<EngineClient::Impl> {
  struct Pending {
    GenerateRequest request;
    GenerateEvents events;
    std::stop_token stop;
    bool streamed = false;
    bool retried = false;
    // Destroyed without locks: its destructor waits for a callback that takes them.
    std::unique_ptr<std::stop_callback<std::function<void()>>> on_stop;
  };

  explicit Impl(EngineOptions o) : options(std::move(o)) { info.state = BackendState::kCold; }

  // --- any thread

  void submit(GenerateRequest request, GenerateEvents events, std::stop_token stop) {
    std::uint64_t id = 0;
    {
      std::unique_lock lock(mutex);
      if (auto problem = start_if_needed(lock)) {
        lock.unlock();
        events.on_done(failed(Code::kUnavailable, *problem));
        return;
      }
      id = next_id++;
      last_used = std::chrono::steady_clock::now();
      auto& pending = requests[id];
      pending = std::make_shared<Pending>();
      pending->request = std::move(request);
      pending->events = std::move(events);
      pending->stop = stop;
      send_submit(id, pending->request);
    }
    arm_cancel(id, stop);
  }

  // The callback may run at once when stop was requested already, so no lock is held here.
  void arm_cancel(std::uint64_t id, const std::stop_token& stop) {
    if (!stop.stop_possible()) return;
    auto callback = std::make_unique<std::stop_callback<std::function<void()>>>(
        stop, [weak = weak_from_this(), id] {
          if (auto self = weak.lock()) self->send(engine_wire::Kind::kCancel, number(id));
        });
    std::lock_guard lock(mutex);
    if (const auto found = requests.find(id); found != requests.end()) {
      found->second->on_stop = std::move(callback);
    }
  }

  void wake() {
    std::unique_lock lock(mutex);
    if (auto problem = start_if_needed(lock)) {
      log(LogLevel::kWarning, "engine", *problem);
      return;
    }
    send(engine_wire::Kind::kWake, "");
  }

  void park_if_idle(std::chrono::seconds keep_alive) {
    std::lock_guard lock(mutex);
    if (child_pid == 0 || !requests.empty() ||
        std::chrono::steady_clock::now() - last_used < keep_alive) {
      return;
    }
    parking = true;
    ::shutdown(fd.get(), SHUT_RDWR);
  }

  void stop() {
    std::unique_lock lock(mutex);
    stopping = true;
    if (fd) ::shutdown(fd.get(), SHUT_RDWR);
    changed.notify_all();
    std::thread reader = std::move(reader_thread);
    std::thread loader = std::move(tokenizer_thread);
    lock.unlock();
    if (reader.joinable()) reader.join();
    if (loader.joinable()) loader.join();
  }

  BackendInfo describe() const {
    std::lock_guard lock(mutex);
    BackendInfo out = info;
    if (out.state == BackendState::kReady && !tokenizer) {
      out.state = tokenizer_problem.empty() ? BackendState::kLoading : BackendState::kUnavailable;
      out.problem = tokenizer_problem;
    }
    return out;
  }

  // --- with `mutex` held

  // nullopt when a child runs or was started; else why not.
  std::optional<std::string> start_if_needed(std::unique_lock<std::mutex>&) {
    if (stopping) return "the daemon is stopping";
    if (child_pid != 0) return std::nullopt;
    const auto now = std::chrono::steady_clock::now();
    while (!deaths.empty() && now - deaths.front() > kDeathWindow) deaths.pop_front();
    if (deaths.size() >= kDeathsAllowed) {
      return "the engine died " + std::to_string(deaths.size()) +
             " times within a minute and is tried again later; see the daemon's log";
    }
    auto child = spawn(options);
    if (!child) {
      info.state = BackendState::kUnavailable;
      info.problem = child.error().message;
      return info.problem;
    }
    child_pid = child->pid;
    {
      std::lock_guard write_lock(write_mutex);
      fd = std::move(child->fd);
    }
    last_used = now;
    info.state = BackendState::kLoading;
    info.problem.clear();
    changed.notify_all();
    if (!reader_thread.joinable()) {
      // The threads hold `this` only: stop() joins them before Impl dies.
      reader_thread = std::thread([this] { read_loop(); });
      if (options.load_tokenizer) tokenizer_thread = std::thread([this] { load_tokenizer(); });
    }
    return std::nullopt;
  }

  void send_submit(std::uint64_t id, const GenerateRequest& request) {
    ByteWriter out;
    out.write(id);
    engine_wire::put(out, request);
    send(engine_wire::Kind::kSubmit, out.data());
  }

  static std::string number(std::uint64_t id) {
    ByteWriter out;
    out.write(id);
    return out.take();
  }

  // A failed write needs no answer: the reader sees the same death.
  void send(engine_wire::Kind kind, std::string_view payload) {
    const std::string bytes = engine_wire::frame(kind, payload);
    std::lock_guard lock(write_mutex);
    if (fd) (void)write_all(fd.get(), bytes.data(), bytes.size());
  }

  // --- threads of ours

  void load_tokenizer() {
    auto loaded = options.load_tokenizer();
    {
      std::lock_guard lock(mutex);
      if (loaded) {
        tokenizer = *loaded;
      } else {
        tokenizer_problem = loaded.error().message;
      }
    }
    if (options.on_change) options.on_change(describe());
  }

  void read_loop() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return stopping || child_pid != 0; });
      if (child_pid == 0) return;
      const int read_fd = fd.get();
      lock.unlock();
      while (auto frame = engine_wire::read_frame(read_fd)) {
        if (!handle(*frame)) break;
      }
      lock.lock();
      if (!child_is_gone(lock)) return;
    }
  }

  // False when the frame is nonsense.
  bool handle(const engine_wire::Frame& frame) {
    using engine_wire::Kind;
    ByteReader in{std::string_view(frame.payload)};
    if (frame.kind == Kind::kInfo) {
      BackendInfo received = engine_wire::get_info(in);
      if (!in.ok()) return false;
      {
        std::lock_guard lock(mutex);
        info = std::move(received);
      }
      if (options.on_change) options.on_change(describe());
      return true;
    }
    const auto id = in.read<std::uint64_t>();
    std::shared_ptr<Pending> pending;
    {
      std::lock_guard lock(mutex);
      const auto found = requests.find(id);
      if (found == requests.end()) return in.ok();
      pending = found->second;
      if (frame.kind == Kind::kTokens) pending->streamed = true;
      if (frame.kind == Kind::kDone) requests.erase(found);
      last_used = std::chrono::steady_clock::now();
    }
    switch (frame.kind) {
      case Kind::kPrefill: {
        const auto done = in.read<std::int64_t>();
        const auto total = in.read<std::int64_t>();
        if (in.ok() && pending->events.on_prefill) pending->events.on_prefill(done, total);
        break;
      }
      case Kind::kTokens: {
        const auto tokens = engine_wire::get_tokens(in);
        if (in.ok() && pending->events.on_tokens) pending->events.on_tokens(tokens);
        break;
      }
      case Kind::kDone: {
        const auto result = engine_wire::get_result(in);
        pending->on_stop.reset();
        pending->events.on_done(in.ok() ? result
                                        : failed(Code::kCorrupt, "the engine answered nonsense"));
        break;
      }
      default:
        return false;
    }
    return in.ok();
  }

  // Called with the lock; false when this object is going away.
  bool child_is_gone(std::unique_lock<std::mutex>& lock) {
    const pid_t pid = std::exchange(child_pid, 0);
    {
      std::lock_guard write_lock(write_mutex);
      fd.reset();
    }
    const bool wanted = parking || stopping;
    lock.unlock();
    const int status = reap(pid, wanted ? kGrace : std::chrono::milliseconds(50));
    lock.lock();
    if (wanted) {
      parking = false;
      info.state = BackendState::kCold;
      if (stopping) {
        auto orphans = std::move(requests);
        requests.clear();
        lock.unlock();
        for (auto& [id, pending] : orphans) {
          pending->on_stop.reset();
          pending->events.on_done(failed(Code::kUnavailable, "the daemon is stopping"));
        }
        orphans.clear();
        lock.lock();
        return false;
      }
      lock.unlock();
      if (options.on_change) options.on_change(describe());
      lock.lock();
      return true;
    }
    deaths.push_back(std::chrono::steady_clock::now());
    std::string why = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                          : "exit code " + std::to_string(WEXITSTATUS(status));
    log(LogLevel::kError, "engine", "the engine process " + std::to_string(pid) + " died: " + why);
    recover(lock, why);
    return true;
  }

  void recover(std::unique_lock<std::mutex>& lock, const std::string& why) {
    std::vector<std::shared_ptr<Pending>> lost;
    for (auto it = requests.begin(); it != requests.end();) {
      Pending& pending = *it->second;
      if (pending.streamed || pending.retried || pending.stop.stop_requested()) {
        lost.push_back(it->second);
        it = requests.erase(it);
      } else {
        pending.retried = true;
        ++it;
      }
    }
    std::optional<std::string> problem = start_if_needed(lock);
    if (problem) {
      info.state = BackendState::kUnavailable;
      info.problem = *problem;
      for (auto& [id, pending] : requests) lost.push_back(pending);
      requests.clear();
    } else {
      send(engine_wire::Kind::kWake, "");
      for (auto& [id, pending] : requests) send_submit(id, pending->request);
    }
    lock.unlock();
    for (auto& pending : lost) {
      pending->on_stop.reset();
      if (pending->stop.stop_requested()) {
        pending->events.on_done({Finish::kCancelled, {}, {}});
      } else {
        pending->events.on_done(
            failed(Code::kUnavailable,
                   problem ? *problem : "the engine died and is being restarted; ask again"));
      }
    }
    lost.clear();
    if (options.on_change) options.on_change(describe());
    if (options.on_restart) {
      options.on_restart(problem
                             ? "Ambit: " + *problem
                             : "Ambit: the engine process died (" + why + ") and was restarted.");
    }
    lock.lock();
  }

  const EngineOptions options;

  mutable std::mutex mutex;
  std::condition_variable changed;
  BackendInfo info;
  std::shared_ptr<const inference::Tokenizer> tokenizer;
  std::string tokenizer_problem;
  pid_t child_pid = 0;
  bool stopping = false, parking = false;
  std::deque<SteadyTime> deaths;
  SteadyTime last_used{};
  std::map<std::uint64_t, std::shared_ptr<Pending>> requests;
  std::uint64_t next_id = 1;
  std::thread reader_thread, tokenizer_thread;

  std::mutex write_mutex;
  FileDescriptor fd;  // changed with both mutexes held; the reader uses the number only
};

EngineClient::EngineClient(EngineOptions options)
    : impl_(std::make_shared<Impl>(std::move(options))) {}
EngineClient::~EngineClient() {
  impl_->stop();
}
void EngineClient::shut_down() {
  impl_->stop();
}
BackendInfo EngineClient::describe() const {
  return impl_->describe();
}
std::shared_ptr<const inference::Tokenizer> EngineClient::tokenizer() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->tokenizer;
}
void EngineClient::wake() {
  impl_->wake();
}
void EngineClient::submit(GenerateRequest request, GenerateEvents events, std::stop_token stop) {
  impl_->submit(std::move(request), std::move(events), std::move(stop));
}
void EngineClient::park_if_idle(std::chrono::seconds keep_alive) {
  impl_->park_if_idle(keep_alive);
}
int EngineClient::child_pid() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->child_pid;
}

}  // namespace ambit::daemon
