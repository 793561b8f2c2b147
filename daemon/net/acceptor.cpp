#include "daemon/net/acceptor.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "daemon/net/asio.h"
#include "daemon/support/trace.h"

namespace ambit::daemon {

using Protocol = asio::local::stream_protocol;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

struct Acceptor::Impl {
  explicit Impl(Runtime& runtime)
      : strand(asio::make_strand(runtime.impl().io)), acceptor(strand), retry(strand) {}
  asio::strand<asio::io_context::executor_type> strand;
  Protocol::acceptor acceptor;
  asio::steady_timer retry;
  std::filesystem::path path;
  FileDescriptor lock;
  std::function<void(FileDescriptor)> on_connection;
};

namespace {

asio::awaitable<void> accept_all(std::shared_ptr<Acceptor::Impl> self) {
  while (self->acceptor.is_open()) {
    auto [error, socket] = co_await self->acceptor.async_accept(kAwait);
    if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
    if (error) {
      // Out of descriptors, most likely: wait for some to be freed rather than spin.
      log(LogLevel::kWarning, "acceptor", "accept failed: " + error.message());
      self->retry.expires_after(std::chrono::milliseconds(100));
      co_await self->retry.async_wait(kAwait);
      continue;
    }
    if (auto peer = check_peer(socket.native_handle()); !peer) {
      log(LogLevel::kWarning, "acceptor", "connection refused: " + peer.error().message);
      continue;
    }
    boost::system::error_code ignored;
    self->on_connection(FileDescriptor(socket.release(ignored)));
  }
}

}  // namespace

Result<std::unique_ptr<Acceptor>> Acceptor::listen(
    Runtime& runtime, const std::filesystem::path& path,
    std::function<void(FileDescriptor)> on_connection) {
  auto impl = std::make_shared<Impl>(runtime);
  impl->path = path;
  impl->on_connection = std::move(on_connection);
  AMBIT_TRY(lock, lock_file(path.string() + ".lock", false));
  impl->lock = std::move(lock);
  // The lock is ours, so a socket that lies there belongs to nobody.
  ::unlink(path.c_str());
  boost::system::error_code error;
  const Protocol::endpoint endpoint(path.string());
  impl->acceptor.open(endpoint.protocol(), error);
  // The folder is 0700, so the moment between bind and chmod is nobody else's either.
  if (!error) impl->acceptor.bind(endpoint, error);
  if (!error && ::chmod(path.c_str(), 0600) != 0) {
    error = {errno, boost::system::system_category()};
  }
  if (!error) impl->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return make_error(Code::kIo, "cannot listen at " + path.string() + ": " + error.message());
  }
  asio::co_spawn(impl->strand, accept_all(impl), [](const std::exception_ptr& failure) {
    if (failure) log(LogLevel::kError, "acceptor", "the accept loop ended by an exception");
  });
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(impl)));
}

Acceptor::~Acceptor() {
  // Unlinked before the lock is let go, so that a successor's socket is never removed.
  ::unlink(impl_->path.c_str());
  asio::dispatch(impl_->strand, [impl = impl_] {
    boost::system::error_code ignored;
    impl->acceptor.close(ignored);
    impl->retry.cancel();
  });
}

}  // namespace ambit::daemon
