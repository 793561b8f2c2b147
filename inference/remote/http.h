// HTTP/1.1 requests to one server, over TLS or plain TCP, with the answer handed over as it
// arrives. Boost.Beast and OpenSSL stay behind it (connection.h).
//
// TLS 1.2 or newer; the certificate chain and the host name are checked, and there is no way to
// switch that off: a private authority is named with `ca_file`. Redirects are not followed (they
// could lead text and key elsewhere). Nothing of a request or answer is ever logged.
//
// Threads: perform() blocks the caller and may run on many threads at once. Connections are kept
// and reused. Bounds: header 32 KiB, body Limits::body_bytes, silence and total time as given.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/support/result.h"
#include "inference/remote/url.h"

namespace ambit::inference::remote {

struct HttpRequest {
  std::string method = "GET";
  std::string target;  // "/v1/models"
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct HttpLimits {
  std::chrono::milliseconds connect{10000};  // look-up, TCP and TLS together
  std::chrono::milliseconds silence{60000};  // between two bytes of the answer
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  std::uint64_t body_bytes = std::uint64_t{64} << 20;
};

struct HttpHead {
  int status = 0;
  std::string content_type;
  std::string retry_after;  // as it was sent, "" when it was not
};

struct HttpEvents {
  // Once, before any data.
  std::function<void(const HttpHead&)> on_head;
  // Pieces of the body; false: enough, the connection is closed.
  std::function<bool(std::string_view)> on_data;
};

class HttpClient {
 public:
  struct Options {
    Url url;
    std::filesystem::path ca_file;  // empty: the system's authorities
    std::size_t max_idle_connections = 4;
  };

  // kNotFound or kInvalidArgument when ca_file cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<HttpClient>> open(Options options);
  virtual ~HttpClient() = default;

  // Sends and hands over the answer; returns when it is whole or on_data said enough. kCancelled
  // when `stop` was requested (the connection is closed at once), kTimeout when a limit of time
  // passed, kResourceExhausted for an answer beyond its bounds, kUnavailable when the server cannot
  // be reached, fails the checks of TLS or breaks off.
  struct Failure {
    Error error;
    bool answered = false;  // on_head was called
  };
  // nullopt: all went well.
  [[nodiscard]] virtual std::optional<Failure> perform(const HttpRequest& request,
                                                       const HttpLimits& limits,
                                                       const HttpEvents& events,
                                                       std::stop_token stop) = 0;
};

}  // namespace ambit::inference::remote
