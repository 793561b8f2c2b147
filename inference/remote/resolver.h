// Addresses of the one host that a client talks to. getaddrinfo cannot be interrupted, so one
// thread looks up while the requests wait beside it and can leave at any time; what it found is
// kept for a minute. Threads: any.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "daemon/support/result.h"
#include "inference/remote/url.h"

namespace ambit::inference::remote {

using Addresses = std::vector<boost::asio::ip::tcp::endpoint>;

class Resolver {
 public:
  explicit Resolver(const Url& url) : host_(url.host), port_(std::to_string(url.port)) {}

  // kCancelled, kTimeout, or kUnavailable when there is no such host.
  [[nodiscard]] Result<Addresses> find(std::chrono::steady_clock::time_point until,
                                       const std::stop_token& stop);
  // None of them could be reached: look again next time.
  void forget();

 private:
  void look_up();

  const std::string host_, port_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool running_ = false;
  Addresses addresses_;
  std::chrono::steady_clock::time_point found_at_{};
  std::string error_;
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace ambit::inference::remote
