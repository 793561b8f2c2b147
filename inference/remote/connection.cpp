#include "inference/remote/connection.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http.hpp>
#include <utility>
#include <vector>

namespace ambit::inference::remote {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::uint32_t kMaxHeaderBytes = 32U << 10;
constexpr std::size_t kReadBytes = std::size_t{16} << 10;
constexpr std::chrono::seconds kKeepIdle{20};
constexpr std::chrono::milliseconds kGrace{20};

HttpClient::Failure failure(Code code, std::string message) {
  return {make_error(code, std::move(message)), false};
}

}  // namespace

Connection::Connection(const Url& url, asio::ssl::context* tls)
    : url_(url), socket_(context_), buffer_(kMaxHeaderBytes + kReadBytes) {
  if (tls != nullptr) {
    stream_.emplace(socket_, *tls);
    stream_->set_verify_callback(asio::ssl::host_name_verification(url.host));
    // A name, not an address, is what SNI carries.
    error_code none;
    asio::ip::make_address(url.host, none);
    if (none) SSL_set_tlsext_host_name(stream_->native_handle(), url.host.c_str());
  }
}

Connection::Watch::Watch(std::shared_ptr<Connection> connection, const HttpLimits& limits,
                         const std::stop_token& stop)
    : connection_(std::move(connection)) {
  connection_->begin(limits);
  callback_.emplace(stop, [weak = std::weak_ptr<Connection>(connection_)] {
    if (const auto alive = weak.lock()) {
      asio::post(alive->context_, [alive] { alive->end(End::kStopped); });
    }
  });
}

Connection::Watch::~Watch() {
  callback_.reset();
  connection_->finish();
}

// --- waiting ---------------------------------------------------------------------------------

template <class Start>
boost::system::error_code Connection::await(Start start) {
  if (end_ != End::kNone) return asio::error::operation_aborted;
  std::optional<error_code> result;
  start([&result](error_code e) { result = e; });
  context_.restart();
  while (!result) context_.run_one();
  return *result;
}

void Connection::begin(const HttpLimits& limits) {
  end_ = End::kNone;
  arm(deadline_, limits.deadline, End::kDeadline);
}

void Connection::arm(asio::steady_timer& timer, Clock::time_point until, End reason) {
  if (until == Clock::time_point::max()) return;
  timer.expires_at(until);
  timer.async_wait([this, reason](error_code e) {
    if (!e) end(reason);
  });
}

void Connection::end(End reason) {
  if (end_ == End::kNone) end_ = reason;
  error_code ignored;
  socket_.close(ignored);
}

void Connection::finish() {
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

bool Connection::fresh() const {
  return Clock::now() - idle_since_ < kKeepIdle;
}

// --- what went wrong -------------------------------------------------------------------------

HttpClient::Failure Connection::broken(const char* what, const error_code& error) {
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

HttpClient::Failure Connection::read_failure(const error_code& error) {
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

// --- an exchange -----------------------------------------------------------------------------

Connection::Failed Connection::connect(const Addresses& addresses, Clock::time_point until) {
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
                       url_.text() + " is not trusted: " + X509_verify_cert_error_string(verified) +
                           "; if its authority is your own, name it in `remote.ca_file`");
      }
      return broken("does not speak TLS as it should", error);
    }
  }
  return std::nullopt;
}

template <class Parser>
Connection::Failed Connection::read_body(Parser& parser, const HttpLimits& limits,
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

Connection::Failed Connection::exchange(const HttpRequest& request, const HttpLimits& limits,
                                        const HttpEvents& events, bool& answered, bool& reusable) {
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
    return failure(Code::kUnsupported, url_.text() + " compressed its answer without being asked");
  }
  if (events.on_head) {
    events.on_head({static_cast<int>(head.result_int()),
                    std::string(head[http::field::content_type]),
                    std::string(head[http::field::retry_after])});
  }
  return read_body(parser, limits, events, reusable);
}

}  // namespace ambit::inference::remote
