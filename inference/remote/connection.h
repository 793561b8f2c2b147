// One connection to a server, plain or TLS, and the exchanges on it, one after another. It owns an
// io_context that only the thread inside of an exchange runs, so everything of one exchange happens
// on that thread; the stop callback alone posts into it from outside. A deadline or a stop closes
// the socket, which ends whatever operation is pending.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "inference/remote/http.h"
#include "inference/remote/resolver.h"

namespace ambit::inference::remote {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;
  using Failed = std::optional<HttpClient::Failure>;  // nullopt: all went well

  // url outlives it. tls: null for plain HTTP.
  Connection(const Url& url, boost::asio::ssl::context* tls);

  // Watches `stop` and the clocks while it lives.
  class Watch {
   public:
    Watch(std::shared_ptr<Connection> connection, const HttpLimits& limits,
          const std::stop_token& stop);
    ~Watch();
    Watch(const Watch&) = delete;

   private:
    std::shared_ptr<Connection> connection_;
    std::optional<std::stop_callback<std::function<void()>>> callback_;
  };

  // Both under a Watch.
  [[nodiscard]] Failed connect(const Addresses& addresses, Clock::time_point until);
  // `answered`: on_head was called; `reusable`: another exchange may follow on this connection.
  [[nodiscard]] Failed exchange(const HttpRequest& request, const HttpLimits& limits,
                                const HttpEvents& events, bool& answered, bool& reusable);

  [[nodiscard]] bool open() const { return end_ == End::kNone && socket_.is_open(); }
  // Servers close idle connections after some time; a younger one seldom meets that.
  [[nodiscard]] bool fresh() const;

 private:
  using error_code = boost::system::error_code;
  enum class End { kNone, kStopped, kDeadline, kSilence };

  template <class Parser>
  Failed read_body(Parser& parser, const HttpLimits& limits, const HttpEvents& events,
                   bool& reusable);
  HttpClient::Failure read_failure(const error_code& error);
  HttpClient::Failure broken(const char* what, const error_code& error);
  // Runs this connection's work until the operation that `start` begins has ended.
  template <class Start>
  error_code await(Start start);
  void begin(const HttpLimits& limits);
  void silence_until(Clock::time_point until) { arm(silence_, until, End::kSilence); }
  void arm(boost::asio::steady_timer& timer, Clock::time_point until, End reason);
  void end(End reason);
  // Lets cancelled handlers run, so that none is left for the next exchange.
  void finish();

  const Url& url_;
  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> stream_;
  boost::beast::flat_buffer buffer_;
  boost::asio::steady_timer deadline_{context_}, silence_{context_};
  End end_ = End::kNone;
  Clock::time_point idle_since_{};
};

}  // namespace ambit::inference::remote
