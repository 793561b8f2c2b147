// The engine's threads: a fixed team that runs one parallel loop at a time. Work is cut into pieces
// that threads take in turn; results must not depend on which thread takes which piece.
// Waiting threads spin for a moment (the next op follows within microseconds), then sleep; within a
// Hold they spin for longer, since waking up takes longer than a small model's whole step. A loop
// ends when its pieces are done: a thread that the system has not let run by then is not waited
// for, so a busy machine slows a loop down to what the caller does alone and no further.
// A team as large as the cores that this process may use is bound to them, each worker to its own;
// the caller goes where the system puts it, which is the core that is left. On a host with several
// memory nodes what the team touches first is spread over them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace ambit::inference::ops {

class ThreadPool {
 public:
  // threads: the team's size with the caller; 0: one per physical core that this process may use,
  // by its affinity mask and its control group's quota.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] std::size_t size() const { return workers_.size() + 1; }

  // While one lives, more loops are about to come. One at a time.
  class Hold {
   public:
    explicit Hold(ThreadPool& pool) : pool_(pool) { pool_.held_.store(true); }
    ~Hold() { pool_.held_.store(false); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    ThreadPool& pool_;
  };

  // Calls f(from, to) for pieces that cover [0, n); returns when all are done. Not reentrant.
  template <class F>
  void parallel_for(std::size_t n, const F& f) {
    if (n == 0) return;
    const std::size_t piece = (n + 4 * size() - 1) / (4 * size());
    run((n + piece - 1) / piece, [&](std::size_t i, std::size_t) {
      f(i * piece, i * piece + piece < n ? i * piece + piece : n);
    });
  }
  // Calls f(i, worker) for every i in [0, n); worker < size().
  template <class F>
  void parallel_workers(std::size_t n, const F& f) {
    run(n, f);
  }

 private:
  struct Call {
    void (*invoke)(const void*, std::size_t, std::size_t) = nullptr;
    const void* context = nullptr;
    std::size_t n = 0;
  };
  template <class F>
  void run(std::size_t n, const F& f) {
    if (n == 0) return;
    if (n == 1 || workers_.empty()) {
      for (std::size_t i = 0; i < n; ++i) f(i, std::size_t{0});
      return;
    }
    run_call(
        {[](const void* c, std::size_t i, std::size_t w) { (*static_cast<const F*>(c))(i, w); }, &f,
         n});
  }
  void run_call(const Call& call);
  void spread_callers_memory() const;
  void work(std::size_t worker);
  void take(const Call& call, std::size_t worker);

  Call call_;
  // Each on its own cache line: the caller writes one, workers the other.
  alignas(64) std::atomic<std::uint32_t> generation_ = 0;
  alignas(64) std::atomic<std::size_t> next_ = 0;
  // Whether the call may still be joined (kOpen), plus the number of workers inside it.
  static constexpr std::uint32_t kOpen = std::uint32_t{1} << 31U;
  alignas(64) std::atomic<std::uint32_t> inside_ = 0;
  std::atomic<bool> held_ = false;
  std::atomic<bool> stop_ = false;
  std::vector<int> nodes_;  // of memory; empty: one
  std::vector<std::thread> workers_;
};

}  // namespace ambit::inference::ops
