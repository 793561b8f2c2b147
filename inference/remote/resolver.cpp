#include "inference/remote/resolver.h"

#include <boost/asio/io_context.hpp>

namespace ambit::inference::remote {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kKeepAddresses{60};

}  // namespace

Result<Addresses> Resolver::find(Clock::time_point until, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!addresses_.empty() && Clock::now() - found_at_ < kKeepAddresses) return addresses_;
  if (!running_) {
    running_ = true;
    error_.clear();
    thread_ = std::jthread([this] { look_up(); });
  }
  while (running_) {
    if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
    if (!changed_.wait_until(lock, stop, until, [this] { return !running_; })) {
      if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
      return make_error(Code::kTimeout, "looking up " + host_ + " took too long");
    }
  }
  if (addresses_.empty()) {
    return make_error(Code::kUnavailable, "there is no host " + host_ + ": " + error_);
  }
  return addresses_;
}

void Resolver::forget() {
  const std::lock_guard lock(mutex_);
  addresses_.clear();
}

void Resolver::look_up() {
  boost::asio::io_context context;
  boost::asio::ip::tcp::resolver resolver(context);
  boost::system::error_code error;
  const auto found = resolver.resolve(host_, port_, error);
  const std::lock_guard lock(mutex_);
  addresses_.clear();
  for (const auto& entry : found) addresses_.push_back(entry.endpoint());
  error_ = error.message();
  found_at_ = Clock::now();
  running_ = false;
  changed_.notify_all();
}

}  // namespace ambit::inference::remote
