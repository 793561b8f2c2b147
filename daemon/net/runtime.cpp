#include "daemon/net/runtime.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>

#include "daemon/net/asio.h"
#include "daemon/support/trace.h"

namespace ambit::daemon {

namespace {

// The last catch: a job that throws is a bug, and costs that job, not the process.
void guarded(const std::function<void()>& job) {
  try {
    job();
  } catch (const std::exception& error) {
    log(LogLevel::kError, "runtime", std::string("a job failed: ") + error.what());
  }
}

}  // namespace

Runtime::Runtime(unsigned io_threads, unsigned cpu_threads)
    : impl_(std::make_unique<Impl>(std::max(1U, cpu_threads))) {
  impl_->guard.emplace(impl_->io.get_executor());
  for (unsigned i = 0; i < std::max(1U, io_threads); ++i) {
    impl_->threads.emplace_back([this] { impl_->io.run(); });
  }
}

Runtime::~Runtime() {
  stop();
}

void Runtime::work(std::function<void()> job) {
  asio::post(impl_->cpu, [job = std::move(job)] { guarded(job); });
}

void Runtime::stop() {
  impl_->cpu.stop();
  impl_->cpu.join();
  impl_->guard.reset();
  impl_->io.stop();
  impl_->threads.clear();
}

Strand::Strand(Runtime& runtime) : impl_(std::make_shared<Impl>(runtime)) {}

void Strand::post(std::function<void()> job) const {
  asio::post(impl_->executor, [job = std::move(job)] { guarded(job); });
}

bool Strand::running_here() const {
  return impl_->executor.running_in_this_thread();
}

struct Timer::Impl {
  explicit Impl(const Strand& strand) : timer(strand.impl().executor) {}
  asio::steady_timer timer;
  std::uint64_t generation = 0;  // a call that was queued before a restart must not fire
};

Timer::Timer(const Strand& strand) : impl_(std::make_shared<Impl>(strand)) {}

Timer::~Timer() {
  cancel();
}

void Timer::start(std::chrono::milliseconds delay, std::function<void()> job) {
  const std::uint64_t mine = ++impl_->generation;
  impl_->timer.expires_after(delay);
  impl_->timer.async_wait([impl = impl_, mine, job = std::move(job)](auto error) {
    if (!error && impl->generation == mine) guarded(job);
  });
}

void Timer::cancel() {
  ++impl_->generation;
  impl_->timer.cancel();
}

}  // namespace ambit::daemon
