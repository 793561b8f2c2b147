// Two coroutines on the session's strand: one reads, one writes. Each waits for the other through a
// timer that never expires, the usual stand-in for a condition variable in Asio.
#include "daemon/net/connection.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <exception>

#include "daemon/net/asio.h"
#include "daemon/support/trace.h"

namespace ambit::daemon {

using Protocol = asio::local::stream_protocol;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

struct Connection::Impl {
  explicit Impl(const Strand& strand)
      : executor(strand.impl().executor),
        socket(executor),
        may_read(executor),
        may_write(executor) {}

  asio::strand<asio::io_context::executor_type> executor;
  Protocol::socket socket;
  asio::steady_timer may_read, may_write;
  Events events;
  lsp::FrameReader reader;
  std::deque<std::string> queue;
  std::size_t queued_bytes = 0;
  bool closing = false;  // close() was called: finish writing
  bool dead = false;

  void shut() {
    if (dead) return;
    dead = true;
    boost::system::error_code ignored;
    socket.close(ignored);
    may_read.cancel();
    may_write.cancel();
    // events.on_frame may be running right now: it is freed when the read loop ends.
    auto on_closed = std::move(events.on_closed);
    if (!closing && on_closed) on_closed();
  }
};

namespace {

using Self = std::shared_ptr<Connection::Impl>;

asio::awaitable<void> read_frames(Self self) {
  std::array<char, 65536> buffer;
  while (!self->dead) {
    while (self->queued_bytes > Connection::kHighWater && !self->dead) {
      self->may_read.expires_at(asio::steady_timer::time_point::max());
      co_await self->may_read.async_wait(kAwait);
    }
    auto [error, size] = co_await self->socket.async_read_some(asio::buffer(buffer), kAwait);
    if (error) break;
    self->reader.feed({buffer.data(), size});
    while (!self->dead && !self->closing) {
      auto event = self->reader.next();
      if (!event) break;
      if (self->events.on_frame) self->events.on_frame(std::move(*event));
    }
  }
  self->shut();
}

asio::awaitable<void> write_frames(Self self) {
  while (!self->dead) {
    if (self->queue.empty()) {
      if (self->closing) break;
      self->may_write.expires_at(asio::steady_timer::time_point::max());
      co_await self->may_write.async_wait(kAwait);
      continue;
    }
    const std::string bytes = std::move(self->queue.front());
    self->queue.pop_front();
    auto [error, size] = co_await asio::async_write(self->socket, asio::buffer(bytes), kAwait);
    if (error) break;
    self->queued_bytes -= bytes.size();
    if (self->queued_bytes <= Connection::kHighWater) self->may_read.cancel();
  }
  self->shut();
}

void log_failure(const std::exception_ptr& failure) {
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    log(LogLevel::kError, "connection", std::string("a coroutine failed: ") + error.what());
  }
}

}  // namespace

std::shared_ptr<Connection> Connection::start(Runtime&, const Strand& strand, FileDescriptor fd,
                                              Events events) {
  auto impl = std::make_shared<Impl>(strand);
  impl->events = std::move(events);
  asio::dispatch(impl->executor, [impl, fd = std::make_shared<FileDescriptor>(std::move(fd))] {
    boost::system::error_code error;
    impl->socket.assign(Protocol(), fd->get(), error);
    if (error) {
      log(LogLevel::kError, "connection", "the socket cannot be used: " + error.message());
      impl->shut();
      impl->events = {};
      return;
    }
    (void)fd->release();
    asio::co_spawn(impl->executor, read_frames(impl), [impl](const std::exception_ptr& failure) {
      log_failure(failure);
      impl->shut();
      impl->events = {};
    });
    asio::co_spawn(impl->executor, write_frames(impl), [impl](const std::exception_ptr& failure) {
      log_failure(failure);
      impl->shut();
    });
  });
  return std::make_shared<Connection>(std::move(impl));
}

void Connection::send(std::string_view body) {
  asio::dispatch(impl_->executor, [impl = impl_, bytes = lsp::frame(body)]() mutable {
    if (impl->dead || impl->closing) return;
    impl->queued_bytes += bytes.size();
    if (impl->queued_bytes > kMaxQueuedBytes) {
      log(LogLevel::kWarning, "connection", "a peer does not read its answers; disconnected");
      impl->shut();
      return;
    }
    impl->queue.push_back(std::move(bytes));
    impl->may_write.cancel();
  });
}

void Connection::close() {
  asio::dispatch(impl_->executor, [impl = impl_] {
    impl->closing = true;
    impl->may_write.cancel();
  });
}

}  // namespace ambit::daemon
