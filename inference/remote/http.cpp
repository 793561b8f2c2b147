#include "inference/remote/http.h"

#include <algorithm>
#include <boost/asio/ssl.hpp>
#include <mutex>

#include "inference/remote/connection.h"
#include "inference/remote/resolver.h"

namespace ambit::inference::remote {

namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

class BeastClient final : public HttpClient {
 public:
  explicit BeastClient(Options options) : options_(std::move(options)), resolver_(options_.url) {}

  Result<void> prepare() {
    if (!options_.url.tls) return {};
    tls_.emplace(ssl::context::tls_client);
    error_code error;
    tls_->set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, error);
    tls_->set_verify_mode(ssl::verify_peer, error);
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
  ssl::context* tls() { return tls_ ? &*tls_ : nullptr; }

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
  std::optional<ssl::context> tls_;
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
