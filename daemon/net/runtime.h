// Threads of the daemon, without showing Asio to those who only want to post work.
//
// - io threads run sockets, timers and strands: nothing slow belongs there;
// - cpu threads run tokenising, packing and cleaning;
// - a Strand is a queue whose functions run one after another on an io thread: everything that a
//   session owns is touched only there.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace ambit::daemon {

class Runtime {
 public:
  struct Impl;  // net/asio.h, for the files that speak Asio

  // Starts the threads.
  Runtime(unsigned io_threads, unsigned cpu_threads);
  ~Runtime();  // stop()
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Runs work on a cpu thread. The queue is not bounded here: whoever posts per request is bounded
  // by requests in flight (session/requests.h).
  void work(std::function<void()> job);
  // Ends the threads: running jobs finish, queued ones are dropped. Not from a thread of ours.
  void stop();

  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

class Strand {
 public:
  explicit Strand(Runtime& runtime);
  // Queues the function; never runs it before returning.
  void post(std::function<void()> job) const;
  [[nodiscard]] bool running_here() const;

  struct Impl;
  [[nodiscard]] Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

// Calls a function on a strand after a while. Use it from that strand only. Starting again or
// destroying it forgets the earlier call.
class Timer {
 public:
  explicit Timer(const Strand& strand);
  ~Timer();
  void start(std::chrono::milliseconds delay, std::function<void()> job);
  void cancel();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ambit::daemon
