// One stream: frames in, frames out.
//
// Backpressure: while more than kHighWater bytes wait to be written, nothing more is read, so a
// peer that asks without listening slows itself down; above kMaxQueuedBytes it is disconnected.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/net/local_socket.h"
#include "daemon/net/runtime.h"
#include "lsp/framing.h"

namespace ambit::daemon {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static constexpr std::size_t kHighWater = std::size_t{8} << 20;
  static constexpr std::size_t kMaxQueuedBytes = std::size_t{256} << 20;

  struct Events {
    // On the strand, in the order of arrival.
    std::function<void(lsp::FrameEvent)> on_frame;
    // On the strand, once, after the last on_frame. Not after close().
    std::function<void()> on_closed;
  };

  // Starts to read. The connection keeps itself alive until it is closed.
  [[nodiscard]] static std::shared_ptr<Connection> start(Runtime& runtime, const Strand& strand,
                                                         FileDescriptor fd, Events events);

  // Queues one message body; any thread.
  void send(std::string_view body);
  // Writes what is queued, then closes; any thread. No event comes afterwards.
  void close();

  struct Impl;
  explicit Connection(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace ambit::daemon
