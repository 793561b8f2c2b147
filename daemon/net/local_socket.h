// Unix sockets as file descriptors: connecting, the peer check, descriptors that close themselves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include "daemon/support/result.h"

namespace ambit::daemon {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() { reset(); }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// Connects and checks that the other side runs as this user. kUnavailable when nobody listens,
// kPermission when a stranger does.
[[nodiscard]] Result<FileDescriptor> connect_local(const std::filesystem::path& path);

// Connects to a TCP port of this machine (LSP's --socket: the editor listens there). kUnavailable
// when nobody listens.
[[nodiscard]] Result<FileDescriptor> connect_loopback(std::uint16_t port);

// kPermission unless the process at the other end runs as this user.
[[nodiscard]] Result<void> check_peer(int fd);

// A connected pair, both close-on-exec.
[[nodiscard]] Result<std::pair<FileDescriptor, FileDescriptor>> socket_pair();

// An exclusive lock on a file of ours (made with mode 0600), held until the descriptor closes.
// kTimeout when `wait` is false and somebody holds it.
[[nodiscard]] Result<FileDescriptor> lock_file(const std::filesystem::path& path, bool wait);

// All of the bytes, through EINTR and short writes; false when the other side is gone.
[[nodiscard]] bool write_all(int fd, const char* data, std::size_t size);

}  // namespace ambit::daemon
