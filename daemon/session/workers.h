// Threads for long work that somebody asked for: a command, the edit of a code action, the text of
// a document of ours. Such work waits for the model and for the editor, so it may neither hold an
// io thread nor one of the few cpu threads that completions need: each piece gets a thread.
//
// Any thread.
#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace ambit::daemon {

class Workers {
 public:
  static constexpr std::size_t kMaxRunning = 32;

  ~Workers() { join(); }
  // False when kMaxRunning pieces run already, or after join(): refuse the request.
  [[nodiscard]] bool start(std::function<void()> job);
  // Waits for all; their stop sources were fired before. Nothing starts any more.
  void join();
  [[nodiscard]] std::size_t running() const;

 private:
  struct Piece {
    std::jthread thread;
    bool done = false;  // guarded by mutex_
  };
  mutable std::mutex mutex_;
  std::list<Piece> pieces_;
  bool closed_ = false;
};

}  // namespace ambit::daemon
