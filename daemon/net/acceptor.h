// The daemon's unix socket: one instance, mode 0600, and only peers of the same user.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "daemon/net/local_socket.h"
#include "daemon/net/runtime.h"
#include "daemon/support/result.h"

namespace ambit::daemon {

class Acceptor {
 public:
  // Binds and starts to accept; on_connection is called on an io thread. kTimeout when another
  // daemon serves this path (it holds PATH.lock), which is not an accident: whoever lost the race
  // uses the winner's.
  [[nodiscard]] static Result<std::unique_ptr<Acceptor>> listen(
      Runtime& runtime, const std::filesystem::path& path,
      std::function<void(FileDescriptor)> on_connection);
  // Stops accepting and removes the socket.
  ~Acceptor();

  struct Impl;  // for the coroutine in acceptor.cpp

 private:
  explicit Acceptor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace ambit::daemon
