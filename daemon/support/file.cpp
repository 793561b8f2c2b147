#include "daemon/support/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace ambit {
namespace fs = std::filesystem;
namespace {

Error os_error(std::string_view what, const fs::path& path) {
  const int e = errno;
  const Code code = e == ENOENT                    ? Code::kNotFound
                    : (e == EACCES || e == EPERM)  ? Code::kPermission
                    : (e == ENOSPC || e == EDQUOT) ? Code::kResourceExhausted
                                                   : Code::kIo;
  return make_error(code, std::string(what) + " " + path.string() + ": " + std::strerror(e));
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

Result<void> write_all(int fd, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const auto n = ::write(fd, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return os_error("cannot write", path);
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> sync_directory(const fs::path& dir) {
  const Fd fd(::open(dir.empty() ? "." : dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return os_error("cannot sync", dir);
  return {};
}

}  // namespace

Result<MappedFile> MappedFile::open(const fs::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os_error("cannot open", path);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return os_error("cannot stat", path);
  if (!S_ISREG(st.st_mode)) {
    return make_error(Code::kInvalidArgument, path.string() + " is not a regular file");
  }
  MappedFile f;
  f.size_ = static_cast<std::size_t>(st.st_size);
  if (f.size_ == 0) return f;
  void* p = ::mmap(nullptr, f.size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (p == MAP_FAILED) {
    f.size_ = 0;
    return os_error("cannot map", path);
  }
  f.data_ = p;
  return f;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Result<std::string> read_file(const fs::path& path, std::uint64_t max_bytes) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os_error("cannot open", path);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return os_error("cannot stat", path);
  if (S_ISDIR(st.st_mode)) {
    return make_error(Code::kInvalidArgument, path.string() + " is a directory");
  }
  std::string out;
  if (st.st_size > 0) {
    if (static_cast<std::uint64_t>(st.st_size) > max_bytes) {
      return make_error(Code::kResourceExhausted,
                        path.string() + " is larger than " + std::to_string(max_bytes) + " bytes");
    }
    out.reserve(static_cast<std::size_t>(st.st_size));
  }
  char buffer[1 << 16];
  for (;;) {
    const auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0) {
      if (errno == EINTR) continue;
      return os_error("cannot read", path);
    }
    if (n == 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > max_bytes) {
      return make_error(Code::kResourceExhausted,
                        path.string() + " is larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

Result<void> FileSystem::replace(const fs::path& path, std::string_view content, unsigned mode) {
  static std::atomic<unsigned> counter{0};
  fs::path temp = path;
  temp += ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
  {
    const Fd fd(::open(temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd) return os_error("cannot create", temp);
    auto written = write_all(fd.get(), content, temp);
    if (written && ::fchmod(fd.get(), mode) != 0) written = os_error("cannot chmod", temp);
    if (written && ::fsync(fd.get()) != 0) written = os_error("cannot sync", temp);
    if (!written) {
      ::unlink(temp.c_str());
      return written;
    }
  }
  if (::rename(temp.c_str(), path.c_str()) != 0) {
    auto e = os_error("cannot replace", path);
    ::unlink(temp.c_str());
    return e;
  }
  return sync_directory(path.parent_path());
}

Result<void> FileSystem::append(const fs::path& path, std::string_view content) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return os_error("cannot open", path);
  return write_all(fd.get(), content, path);
}

Result<void> FileSystem::sync(const fs::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fdatasync(fd.get()) != 0) return os_error("cannot sync", path);
  return {};
}

Result<void> FileSystem::rename(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return os_error("cannot rename", from);
  return sync_directory(to.parent_path());
}

Result<void> FileSystem::remove(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_error("cannot remove", path);
  return {};
}

Result<void> FileSystem::make_private_directory(const fs::path& path) {
  std::error_code ec;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), ec);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return os_error("cannot create", path);
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return os_error("cannot stat", path);
  if (!S_ISDIR(st.st_mode)) {
    return make_error(Code::kIo, path.string() + " exists and is not a directory");
  }
  return {};
}

FileSystem& file_system() {
  static FileSystem real;
  return real;
}

}  // namespace ambit
