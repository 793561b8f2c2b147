#include "tests/inference/remote/fault_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace ambit::testing {

namespace {

class Wire {
 public:
  Wire(int fd, SSL* ssl) : fd_(fd), ssl_(ssl) {}
  long read(char* data, std::size_t size) {
    return ssl_ != nullptr ? SSL_read(ssl_, data, static_cast<int>(size))
                           : ::recv(fd_, data, size, 0);
  }
  bool write(const std::string& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const long n =
          ssl_ != nullptr
              ? SSL_write(ssl_, bytes.data() + sent, static_cast<int>(bytes.size() - sent))
              : ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
  SSL* ssl_;
};

class WireReply : public FaultServer::Reply {
 public:
  explicit WireReply(Wire& wire) : wire_(wire) {}
  bool bytes(const std::string& raw) override { return wire_.write(raw); }
  bool wait_closed() override {
    pollfd waiting{wire_.fd(), POLLIN | POLLRDHUP, 0};
    while (::poll(&waiting, 1, 10000) > 0) {
      char c = 0;
      if (wire_.read(&c, 1) <= 0) return true;
    }
    return false;
  }

 private:
  Wire& wire_;
};

}  // namespace

bool FaultServer::Reply::json(int status, const std::string& body, const std::string& headers) {
  return bytes("HTTP/1.1 " + std::to_string(status) + " Status\r\nContent-Type: application/json" +
               "\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               body);
}
bool FaultServer::Reply::begin_stream() {
  return bytes(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
}
bool FaultServer::Reply::event(const std::string& data) {
  const std::string text = "data: " + data + "\n\n";
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return bytes(size + text + "\r\n");
}
bool FaultServer::Reply::end_stream() {
  return event("[DONE]") && bytes("0\r\n\r\n");
}

FaultServer::FaultServer(Handler handler, const Tls* tls) : handler_(std::move(handler)) {
  ::signal(SIGPIPE, SIG_IGN);  // SSL_write has no flag for it
  if (tls != nullptr) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_file(context, tls->certificate_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, tls->key_file.c_str(), SSL_FILETYPE_PEM);
    tls_ = context;
  }
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  (void)::listen(listener_, 64);
  socklen_t length = sizeof address;
  (void)::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

FaultServer::~FaultServer() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
  SSL_CTX_free(static_cast<SSL_CTX*>(tls_));
}

std::string FaultServer::url() const {
  return std::string(tls_ != nullptr ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_);
}

std::vector<FaultServer::Request> FaultServer::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

void FaultServer::accept_loop() {
  while (!stopping_) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void FaultServer::serve(int fd) {
  SSL* ssl = nullptr;
  bool ready = true;
  if (tls_ != nullptr) {
    ssl = SSL_new(static_cast<SSL_CTX*>(tls_));
    SSL_set_fd(ssl, fd);
    ready = SSL_accept(ssl) == 1;
  }
  Wire wire(fd, ssl);
  WireReply reply(wire);
  std::string buffer;
  while (ready && !stopping_) {
    // One request: its head, then as much body as it announces.
    std::size_t head_end = 0;
    while ((head_end = buffer.find("\r\n\r\n")) == std::string::npos) {
      char piece[4096];
      const long n = wire.read(piece, sizeof piece);
      if (n <= 0) break;
      buffer.append(piece, static_cast<std::size_t>(n));
    }
    if (head_end == std::string::npos) break;
    Request request;
    request.head = buffer.substr(0, head_end + 2);
    buffer.erase(0, head_end + 4);
    const auto space = request.head.find(' ');
    request.method = request.head.substr(0, space);
    request.target = request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
    std::size_t length = 0;
    if (const auto at = request.head.find("Content-Length: "); at != std::string::npos) {
      length = std::strtoul(request.head.c_str() + at + 16, nullptr, 10);
    }
    while (buffer.size() < length) {
      char piece[4096];
      const long n = wire.read(piece, sizeof piece);
      if (n <= 0) break;
      buffer.append(piece, static_cast<std::size_t>(n));
    }
    if (buffer.size() < length) break;
    request.body = buffer.substr(0, length);
    buffer.erase(0, length);
    {
      std::lock_guard lock(mutex_);
      request.number = static_cast<int>(requests_.size());
      requests_.push_back(request);
    }
    handler_(request, reply);
    if (reply.hang_up) break;
  }
  if (ssl != nullptr) SSL_free(ssl);
  {
    std::lock_guard lock(mutex_);
    open_.remove(fd);
  }
  ::close(fd);
}

FaultServer::Handler like_vllm(FaultServer::Handler complete) {
  return [complete](const FaultServer::Request& request, FaultServer::Reply& reply) {
    if (request.target == "/v1/models") {
      reply.json(200, R"({"data":[{"id":"tiny","max_model_len":4096}]})");
    } else if (request.target == "/tokenize") {
      reply.json(200, R"({"tokens":[7]})");
    } else if (request.body.find("\"max_tokens\":1,") != std::string::npos) {
      reply.json(200, R"({"choices":[{"text":"x","finish_reason":"length"}]})");
    } else {
      complete(request, reply);
    }
  };
}

}  // namespace ambit::testing
