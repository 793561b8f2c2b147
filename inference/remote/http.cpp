// Each connection owns an io_context that only the thread inside perform() runs, so everything of
// one exchange happens on that thread; the stop callback alone posts into it from outside. A
// deadline or a stop closes the socket, which ends whatever operation is pending.
//
// Host names are looked up by one thread of the client (getaddrinfo cannot be interrupted, so the
// requests wait beside it and can leave at any time); addresses are kept for a minute.
#include "inference/remote/http.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace ambit::inference::remote {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Addresses = std::vector<tcp::endpoint>;

constexpr std::uint32_t kMaxHeaderBytes = 32U << 10;
constexpr std::size_t kReadBytes = std::size_t{16} << 10;
constexpr std::chrono::seconds kKeepAddresses{60};
// Servers close idle connections after some time; reusing a younger one seldom meets that.
constexpr std::chrono::seconds kKeepIdle{20};
constexpr std::chrono::milliseconds kGrace{20};

HttpClient::Failure failure(Code code, std::string message) {
  return {make_error(code, std::move(message)), false};
}

class Resolver {
 public:
  explicit Resolver(const Url& url) : host_(url.host), port_(std::to_string(url.port)) {}

  Result<Addresses> find(Clock::time_point until, const std::stop_token& stop) {
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
  void forget() {
    std::lock_guard lock(mutex_);
    addresses_.clear();
  }

 private:
  void look_up() {
    asio::io_context context;
    tcp::resolver resolver(context);
    error_code error;
    const auto found = resolver.resolve(host_, port_, error);
    std::lock_guard lock(mutex_);
    addresses_.clear();
    for (const auto& entry : found) addresses_.push_back(entry.endpoint());
    error_ = error.message();
    found_at_ = Clock::now();
    running_ = false;
    changed_.notify_all();
  }

  const std::string host_, port_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool running_ = false;
  Addresses addresses_;
  Clock::time_point found_at_{};
  std::string error_;
  std::jthread thread_;  // last: it uses everything above
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(const Url& url, asio::ssl::context* tls) : url_(url), socket_(context_) {
    if (tls != nullptr) {
      stream_.emplace(socket_, *tls);
      stream_->set_verify_callback(asio::ssl::host_name_verification(url.host));
      // A name, not an address, is what SNI carries.
      error_code none;
      asio::ip::make_address(url.host, none);
      if (none) SSL_set_tlsext_host_name(stream_->native_handle(), url.host.c_str());
    }
  }

  enum class End { kNone, kStopped, kDeadline, kSilence };

  // Watches `stop` and the clocks while it lives.
  class Watch {
   public:
    Watch(std::shared_ptr<Connection> connection, const HttpLimits& limits,
          const std::stop_token& stop)
        : connection_(std::move(connection)) {
      connection_->begin(limits);
      callback_.emplace(stop, [weak = std::weak_ptr<Connection>(connection_)] {
        if (const auto alive = weak.lock()) {
          asio::post(alive->context_, [alive] { alive->end(End::kStopped); });
        }
      });
    }
    ~Watch() {
      callback_.reset();
      connection_->finish();
    }
    Watch(const Watch&) = delete;

   private:
    std::shared_ptr<Connection> connection_;
    std::optional<std::stop_callback<std::function<void()>>> callback_;
  };

  std::optional<HttpClient::Failure> connect(const Addresses& addresses, Clock::time_point until) {
    silence_until(until);
    error_code error = await([&](auto done) {
      asio::async_connect(socket_, addresses,
                          [done](error_code e, const tcp::endpoint&) { done(e); });
    });
    if (error) return broken("cannot be reached", error);
    socket_.set_option(tcp::no_delay(true), error);
    if (stream_) {
      error = await([&](auto done) {
        stream_->async_handshake(asio::ssl::stream_base::client, [done](error_code e) { done(e); });
      });
      if (error) {
        const long verified = SSL_get_verify_result(stream_->native_handle());
        if (verified != X509_V_OK) {
          return failure(Code::kPermission,
                         url_.text() +
                             " is not trusted: " + X509_verify_cert_error_string(verified) +
                             "; if its authority is your own, name it in `remote.ca_file`");
        }
        return broken("does not speak TLS as it should", error);
      }
    }
    return std::nullopt;
  }

  // `reusable` tells whether another exchange may follow on this connection.
  std::optional<HttpClient::Failure> exchange(const HttpRequest& request, const HttpLimits& limits,
                                              const HttpEvents& events, bool& answered,
                                              bool& reusable) {
    http::request<http::string_body> message{http::string_to_verb(request.method), request.target,
                                             11};
    message.set(http::field::host, url_.authority());
    message.set(http::field::user_agent, "ambit");
    message.set(http::field::accept_encoding, "identity");
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    message.prepare_payload();
    silence_until(Clock::now() + limits.silence);
    error_code error = await([&](auto done) {
      const auto ended = [done](error_code e, std::size_t) { done(e); };
      if (stream_) {
        http::async_write(*stream_, message, ended);
      } else {
        http::async_write(socket_, message, ended);
      }
    });
    if (error) return broken("broke off while the request was sent", error);

    http::response_parser<http::buffer_body> parser;
    parser.header_limit(kMaxHeaderBytes);
    parser.body_limit(limits.body_bytes);
    error = await([&](auto done) {
      const auto ended = [done](error_code e, std::size_t) { done(e); };
      if (stream_) {
        http::async_read_header(*stream_, buffer_, parser, ended);
      } else {
        http::async_read_header(socket_, buffer_, parser, ended);
      }
    });
    if (error) return read_failure(error);
    const auto& head = parser.get();
    answered = true;
    if (const auto encoding = head[http::field::content_encoding];
        !encoding.empty() && encoding != "identity") {
      return failure(Code::kUnsupported,
                     url_.text() + " compressed its answer without being asked");
    }
    if (events.on_head) {
      events.on_head({static_cast<int>(head.result_int()),
                      std::string(head[http::field::content_type]),
                      std::string(head[http::field::retry_after])});
    }
    return read_body(parser, limits, events, reusable);
  }

  [[nodiscard]] bool fresh() const { return Clock::now() - idle_since_ < kKeepIdle; }

 private:
  template <class Parser>
  std::optional<HttpClient::Failure> read_body(Parser& parser, const HttpLimits& limits,
                                               const HttpEvents& events, bool& reusable) {
    std::vector<char> piece(kReadBytes);
    bool enough = false;
    while (!parser.is_done()) {
      parser.get().body().data = piece.data();
      parser.get().body().size = piece.size();
      parser.get().body().more = true;
      if (!enough) silence_until(Clock::now() + limits.silence);
      error_code error = await([&](auto done) {
        const auto ended = [done](error_code e, std::size_t) { done(e); };
        if (stream_) {
          http::async_read_some(*stream_, buffer_, parser, ended);
        } else {
          http::async_read_some(socket_, buffer_, parser, ended);
        }
      });
      if (error == http::error::need_buffer) error = {};
      if (error && enough) return std::nullopt;
      if (error) return read_failure(error);
      const std::size_t got = piece.size() - parser.get().body().size;
      if (got > 0 && !enough && events.on_data && !events.on_data({piece.data(), got})) {
        // What is left is most often the end of the body alone, in the same packet: reading it
        // keeps the connection.
        enough = true;
        silence_until(Clock::now() + kGrace);
      }
    }
    // A body that only ends with the connection was cut or not; nobody can tell, so the caller
    // looks for the end that its own format has.
    reusable = parser.keep_alive();
    return std::nullopt;
  }

  HttpClient::Failure read_failure(const error_code& error) {
    if (end_ == End::kNone) {
      if (error == http::error::header_limit) {
        return failure(Code::kResourceExhausted, url_.text() + " sent headers without an end");
      }
      if (error == http::error::body_limit) {
        return failure(Code::kResourceExhausted, url_.text() + " sent more than is allowed");
      }
      if (error.category() == http::make_error_code(http::error::bad_line_ending).category() &&
          error != http::error::end_of_stream && error != http::error::partial_message) {
        return failure(Code::kCorrupt, url_.text() + " did not answer in HTTP: " + error.message());
      }
    }
    return broken("broke the connection off", error);
  }

  HttpClient::Failure broken(const char* what, const error_code& error) {
    switch (end_) {
      case End::kStopped:
        return failure(Code::kCancelled, "cancelled");
      case End::kDeadline:
        return failure(Code::kTimeout, url_.text() + " did not answer in time");
      case End::kSilence:
        return failure(Code::kTimeout, url_.text() + " said nothing for too long");
      case End::kNone:
        break;
    }
    return failure(Code::kUnavailable, url_.text() + " " + what + ": " + error.message());
  }

  // Runs this connection's work until the operation that `start` begins has ended.
  template <class Start>
  error_code await(Start start) {
    if (end_ != End::kNone) return asio::error::operation_aborted;
    std::optional<error_code> result;
    start([&result](error_code e) { result = e; });
    context_.restart();
    while (!result) context_.run_one();
    return *result;
  }

  void begin(const HttpLimits& limits) {
    end_ = End::kNone;
    arm(deadline_, limits.deadline, End::kDeadline);
  }
  void silence_until(Clock::time_point until) { arm(silence_, until, End::kSilence); }
  void arm(asio::steady_timer& timer, Clock::time_point until, End reason) {
    if (until == Clock::time_point::max()) return;
    timer.expires_at(until);
    timer.async_wait([this, reason](error_code e) {
      if (!e) end(reason);
    });
  }
  void end(End reason) {
    if (end_ == End::kNone) end_ = reason;
    error_code ignored;
    socket_.close(ignored);
  }
  // Lets cancelled handlers run, so that none is left for the next exchange.
  void finish() {
    deadline_.cancel();
    silence_.cancel();
    context_.restart();
    context_.poll();
    if (end_ != End::kNone) {
      error_code ignored;
      socket_.close(ignored);
    }
    idle_since_ = Clock::now();
  }

  const Url& url_;
  asio::io_context context_{1};
  tcp::socket socket_;
  std::optional<asio::ssl::stream<tcp::socket&>> stream_;
  beast::flat_buffer buffer_{kMaxHeaderBytes + kReadBytes};
  asio::steady_timer deadline_{context_}, silence_{context_};
  End end_ = End::kNone;
  Clock::time_point idle_since_{};

 public:
  [[nodiscard]] bool open() const { return end_ == End::kNone && socket_.is_open(); }
};

class BeastClient final : public HttpClient {
 public:
  explicit BeastClient(Options options) : options_(std::move(options)), resolver_(options_.url) {}

  Result<void> prepare() {
    if (!options_.url.tls) return {};
    tls_.emplace(asio::ssl::context::tls_client);
    error_code error;
    tls_->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
    tls_->set_verify_mode(asio::ssl::verify_peer, error);
    if (options_.ca_file.empty()) {
      tls_->set_default_verify_paths(error);
    } else {
      tls_->load_verify_file(options_.ca_file.string(), error);
    }
    if (error) {
      return make_error(
          Code::kInvalidArgument,
          "the certificates of " +
              (options_.ca_file.empty() ? std::string("the system") : options_.ca_file.string()) +
              " cannot be read: " + error.message());
    }
    return {};
  }

  std::optional<Failure> perform(const HttpRequest& request, const HttpLimits& limits,
                                 const HttpEvents& events, std::stop_token stop) override {
    while (true) {
      auto connection = take_idle();
      const bool reused = connection != nullptr;
      if (!reused) connection = std::make_shared<Connection>(options_.url, tls());
      bool answered = false, reusable = false;
      std::optional<Failure> failed;
      {
        Connection::Watch watch(connection, limits, stop);
        if (!reused) failed = connect(*connection, limits, stop);
        if (!failed) failed = connection->exchange(request, limits, events, answered, reusable);
      }
      if (!failed) {
        if (reusable && connection->open()) keep_idle(std::move(connection));
        return std::nullopt;
      }
      // An idle connection that the server closed meanwhile says nothing about the server.
      if (reused && !answered && failed->error.code == Code::kUnavailable) continue;
      failed->answered = answered;
      return failed;
    }
  }

 private:
  asio::ssl::context* tls() { return tls_ ? &*tls_ : nullptr; }

  std::optional<Failure> connect(Connection& connection, const HttpLimits& limits,
                                 const std::stop_token& stop) {
    const auto until = std::min(Clock::now() + limits.connect, limits.deadline);
    const auto addresses = resolver_.find(until, stop);
    if (!addresses) return Failure{addresses.error(), false};
    auto failed = connection.connect(*addresses, until);
    if (failed) resolver_.forget();
    return failed;
  }

  std::shared_ptr<Connection> take_idle() {
    std::lock_guard lock(mutex_);
    while (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection->fresh() && connection->open()) return connection;
    }
    return nullptr;
  }
  void keep_idle(std::shared_ptr<Connection> connection) {
    std::lock_guard lock(mutex_);
    if (idle_.size() < options_.max_idle_connections) idle_.push_back(std::move(connection));
  }

  const Options options_;
  std::optional<asio::ssl::context> tls_;
  Resolver resolver_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Connection>> idle_;  // the most recently used last
};

}  // namespace

Result<std::unique_ptr<HttpClient>> HttpClient::open(Options options) {
  auto client = std::make_unique<BeastClient>(std::move(options));
  AMBIT_CHECK_OK(client->prepare());
  return std::unique_ptr<HttpClient>(std::move(client));
}

}  // namespace ambit::inference::remote
