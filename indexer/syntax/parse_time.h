// How long parsing may take, in processor time of this thread: what a busy machine or one that
// slept takes is not held against a file.
#pragma once

#include <chrono>
#include <ctime>

namespace ambit::indexer {

class ParseTime {
 public:
  // Begins now, on the thread that asks later.
  explicit ParseTime(std::chrono::nanoseconds limit)
      : wall_(std::chrono::steady_clock::now() + limit), processor_(used() + limit) {}
  [[nodiscard]] bool over() const {
    // The processor's clock is a call into the kernel, and cannot be ahead of the wall's.
    return std::chrono::steady_clock::now() > wall_ && used() > processor_;
  }

 private:
  static std::chrono::nanoseconds used() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }
  std::chrono::steady_clock::time_point wall_;
  std::chrono::nanoseconds processor_;
};

}  // namespace ambit::indexer
