#include "daemon/session/workers.h"

#include <algorithm>
#include <exception>
#include <string>
#include <system_error>

#include "daemon/support/trace.h"

namespace ambit::daemon {

bool Workers::start(std::function<void()> job) {
  std::list<Piece> finished;  // joined after the lock is gone
  std::lock_guard lock(mutex_);
  for (auto it = pieces_.begin(); it != pieces_.end();) {
    const auto next = std::next(it);
    if (it->done) finished.splice(finished.end(), pieces_, it);
    it = next;
  }
  if (closed_ || pieces_.size() >= kMaxRunning) return false;
  Piece& piece = pieces_.emplace_back();
  try {
    piece.thread = std::jthread([this, &piece, job = std::move(job)] {
      try {
        job();
      } catch (const std::exception& error) {
        log(LogLevel::kError, "workers", std::string("a job failed: ") + error.what());
      }
      std::lock_guard inner(mutex_);
      piece.done = true;
    });
  } catch (const std::system_error& error) {
    log(LogLevel::kError, "workers", std::string("no thread: ") + error.what());
    pieces_.pop_back();
    return false;
  }
  return true;
}

void Workers::join() {
  std::list<Piece> pieces;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    pieces.swap(pieces_);  // list nodes stay where they are, so `piece` above stays valid
  }
}

std::size_t Workers::running() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(pieces_.begin(), pieces_.end(), [](const Piece& p) { return !p.done; }));
}

}  // namespace ambit::daemon
