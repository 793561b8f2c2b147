// A model server that misbehaves as told: plain sockets on loopback, one thread a connection, so
// that every byte and every cut is the test's own. TLS with a certificate made for the test.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ambit::testing {

class FaultServer {
 public:
  struct Request {
    std::string method, target, head, body;
    int number = 0;  // of requests to this server, from 0
  };
  // What a handler writes with. Each call returns false when the other side has gone.
  class Reply {
   public:
    virtual ~Reply() = default;
    virtual bool bytes(const std::string& raw) = 0;
    // Waits until the client has closed the connection; false when it never did (10 s).
    virtual bool wait_closed() = 0;
    bool json(int status, const std::string& body, const std::string& headers = "");
    bool begin_stream();
    bool event(const std::string& data);  // chunked, as servers send it
    bool end_stream();
    bool hang_up = false;  // close the connection after this reply
  };
  using Handler = std::function<void(const Request&, Reply&)>;

  struct Tls {
    std::string certificate_file, key_file;  // PEM
  };
  explicit FaultServer(Handler handler, const Tls* tls = nullptr);
  ~FaultServer();

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::vector<Request> requests() const;
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void accept_loop();
  void serve(int fd);

  const Handler handler_;
  void* tls_ = nullptr;  // SSL_CTX
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::list<int> open_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

// Answers /v1/models and /tokenize as vLLM would, and hands completions to `complete`.
FaultServer::Handler like_vllm(FaultServer::Handler complete);

}  // namespace ambit::testing
