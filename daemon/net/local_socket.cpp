#include "daemon/net/local_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace ambit::daemon {

void FileDescriptor::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<void> check_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return make_error(Code::kPermission, "the system does not say who is at the other end");
  }
  if (peer.uid != ::getuid()) {
    return make_error(Code::kPermission, "the process at the other end runs as user " +
                                             std::to_string(peer.uid) + ", not as you");
  }
  return {};
}

Result<FileDescriptor> connect_local(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.size() >= sizeof address.sun_path) {
    return make_error(Code::kInvalidArgument, "the socket path " + text + " is too long");
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return make_error(Code::kIo, std::string("no socket: ") + std::strerror(errno));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return make_error(Code::kUnavailable,
                      "no daemon answers at " + text + " (" + std::strerror(errno) + ")");
  }
  AMBIT_CHECK_OK(check_peer(fd.get()));
  return fd;
}

Result<FileDescriptor> connect_loopback(std::uint16_t port) {
  FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return make_error(Code::kIo, std::string("no socket: ") + std::strerror(errno));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return make_error(Code::kUnavailable, "nobody listens at port " + std::to_string(port) +
                                              " of this machine (" + std::strerror(errno) + ")");
  }
  const int on = 1;  // small messages, one at a time
  (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

Result<std::pair<FileDescriptor, FileDescriptor>> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return make_error(Code::kIo, std::string("no socket pair: ") + std::strerror(errno));
  }
  return std::pair(FileDescriptor(ends[0]), FileDescriptor(ends[1]));
}

Result<FileDescriptor> lock_file(const std::filesystem::path& path, bool wait) {
  FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    return make_error(Code::kIo, "cannot open " + path.string() + ": " + std::strerror(errno));
  }
  while (::flock(fd.get(), LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) {
      return make_error(Code::kTimeout, path.string() + " is held by another process");
    }
    return make_error(Code::kIo, "cannot lock " + path.string() + ": " + std::strerror(errno));
  }
  return fd;
}

bool write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    // MSG_NOSIGNAL fits sockets only; pipes and terminals go through write().
    ssize_t n = ::send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == ENOTSOCK) n = ::write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      pollfd ready{fd, POLLOUT, 0};
      (void)::poll(&ready, 1, -1);
      continue;
    }
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace ambit::daemon
