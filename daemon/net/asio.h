// What lies behind net/runtime.h. Only for files of daemon/net.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "daemon/net/runtime.h"

namespace ambit::daemon {

namespace asio = boost::asio;

struct Runtime::Impl {
  explicit Impl(unsigned cpu_threads) : cpu(cpu_threads) {}
  asio::io_context io;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard;
  asio::thread_pool cpu;
  std::vector<std::jthread> threads;
};

struct Strand::Impl {
  explicit Impl(Runtime& runtime) : executor(asio::make_strand(runtime.impl().io)) {}
  asio::strand<asio::io_context::executor_type> executor;
};

}  // namespace ambit::daemon
