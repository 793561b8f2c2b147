#include "inference/ops/thread_pool.h"

#include <algorithm>

#include "daemon/support/machine.h"
#include "inference/ops/processors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ambit::inference::ops {
namespace {

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Rounds of spinning before a thread sleeps: tens of microseconds.
constexpr int kSpins = 4000;
// The same within a Hold: about a millisecond.
constexpr int kHeldSpins = 80000;

}  // namespace

ThreadPool::ThreadPool(unsigned threads) {
  const std::vector<int> cores = physical_cores();
  const auto all = std::max(1U, static_cast<unsigned>(cores.size()));
  const unsigned n = threads == 0 ? std::min(all, usable_cores()) : threads;
  const std::vector<int> bound = places(n, cores);
  if (auto nodes = memory_nodes(cores); nodes.size() > 1) nodes_ = std::move(nodes);
  for (unsigned i = 1; i < n; ++i) {
    workers_.emplace_back([this, i, processor = bound.empty() ? -1 : bound[i]] {
      if (processor >= 0) (void)bind_to(processor);
      if (!nodes_.empty()) (void)spread_memory(nodes_);
      work(i);
    });
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& t : workers_) t.join();
}

void ThreadPool::take(const Call& call, std::size_t worker) {
  for (;;) {
    const std::size_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= call.n) return;
    call.invoke(call.context, i, worker);
  }
}

// The caller's memory is spread as the workers' is.
void ThreadPool::spread_callers_memory() const {
  thread_local bool done = false;
  if (done || nodes_.empty()) return;
  (void)spread_memory(nodes_);
  done = true;
}

void ThreadPool::run_call(const Call& call) {
  spread_callers_memory();
  call_ = call;
  next_.store(0, std::memory_order_relaxed);
  inside_.store(kOpen, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  take(call, 0);
  inside_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (int spin = 0;; ++spin) {
    const std::uint32_t left = inside_.load(std::memory_order_acquire);
    if (left == 0) return;
    if (spin < kSpins) {
      pause_briefly();
    } else {
      inside_.wait(left, std::memory_order_acquire);
    }
  }
}

void ThreadPool::work(std::size_t worker) {
  std::uint32_t seen = 0;
  for (;;) {
    for (int spin = 0; generation_.load(std::memory_order_acquire) == seen; ++spin) {
      if (spin < (held_.load(std::memory_order_relaxed) ? kHeldSpins : kSpins)) {
        pause_briefly();
      } else {
        generation_.wait(seen, std::memory_order_acquire);
      }
    }
    seen = generation_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    // Joining the call keeps it (and call_) alive until this worker has left it.
    std::uint32_t state = inside_.load(std::memory_order_acquire);
    while ((state & kOpen) != 0 &&
           !inside_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
    }
    if ((state & kOpen) == 0) continue;
    take(call_, worker);
    if (inside_.fetch_sub(1, std::memory_order_acq_rel) == 1) inside_.notify_all();
  }
}

}  // namespace ambit::inference::ops
