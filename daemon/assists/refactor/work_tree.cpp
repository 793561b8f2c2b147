#include "daemon/assists/refactor/work_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "daemon/assists/refactor/edits.h"

namespace ambit::daemon {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Error failed(std::string_view what, std::string_view path) {
  const int e = errno;
  const Code code = e == ENOENT || e == ENOTDIR                 ? Code::kNotFound
                    : e == EACCES || e == EPERM || e == ELOOP   ? Code::kPermission
                    : e == ENOSPC || e == EDQUOT || e == EMFILE ? Code::kResourceExhausted
                                                                : Code::kIo;
  return make_error(
      code, "cannot " + std::string(what) + " " + std::string(path) + ": " + std::strerror(e));
}

std::int64_t nanoseconds(const timespec& t) {
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

// What the kernel keeps besides bytes and mode: lists of access rights, labels. Best effort: a file
// system that takes none of them is no reason to refuse an edit.
void copy_attributes(int from, int to) {
  char names[4096];
  const auto n = ::flistxattr(from, names, sizeof names);
  for (ssize_t at = 0; at < n; at += static_cast<ssize_t>(std::strlen(names + at)) + 1) {
    char value[4096];
    const auto size = ::fgetxattr(from, names + at, value, sizeof value);
    if (size >= 0) {
      [[maybe_unused]] const int ignored =
          ::fsetxattr(to, names + at, value, static_cast<std::size_t>(size), 0);
    }
  }
}

}  // namespace

Result<WorkTree> WorkTree::open(const std::filesystem::path& root, DiskPoint point) {
  WorkTree out;
  out.root_ = root;
  out.point_ = std::move(point);
  out.fd_ = ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (out.fd_ < 0) return failed("open", root.string());
  return out;
}

WorkTree::WorkTree(WorkTree&& o) noexcept
    : root_(std::move(o.root_)), point_(std::move(o.point_)), fd_(std::exchange(o.fd_, -1)) {}
WorkTree& WorkTree::operator=(WorkTree&& o) noexcept {
  std::swap(root_, o.root_);
  std::swap(point_, o.point_);
  std::swap(fd_, o.fd_);
  return *this;
}
WorkTree::~WorkTree() {
  if (fd_ >= 0) ::close(fd_);
}

Result<int> WorkTree::folder_of(std::string_view path, std::string& leaf) const {
  AMBIT_CHECK_OK(check_path(path));
  int fd = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return failed("open", root_.string());
  for (;;) {
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) break;
    const std::string part(path.substr(0, slash));
    const int next = ::openat(fd, part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const int e = errno;
    struct stat st {};
    const bool link = next < 0 && ::fstatat(fd, part.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                      S_ISLNK(st.st_mode);
    ::close(fd);
    if (link) {
      return make_error(Code::kPermission, part + " is a link: what is behind it is not changed");
    }
    errno = e;
    if (next < 0) return failed("open", part);
    fd = next;
    path.remove_prefix(slash + 1);
  }
  leaf = path;
  return fd;
}

Result<FileState> WorkTree::look(std::string_view path) const {
  std::string leaf;
  auto folder = folder_of(path, leaf);
  if (!folder) {
    if (folder.error().code == Code::kNotFound) return FileState{};
    return folder.error();
  }
  const Fd fd(*folder);
  struct stat st {};
  if (::fstatat(fd.get(), leaf.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return FileState{};
    return failed("look at", path);
  }
  FileState out;
  out.kind = S_ISREG(st.st_mode)   ? FileState::kRegular
             : S_ISLNK(st.st_mode) ? FileState::kLink
                                   : FileState::kOther;
  out.mode = st.st_mode & 07777U;
  out.size = static_cast<std::uint64_t>(st.st_size);
  out.inode = st.st_ino;
  out.mtime_ns = nanoseconds(st.st_mtim);
  out.ctime_ns = nanoseconds(st.st_ctim);
  return out;
}

Result<std::string> WorkTree::read(std::string_view path, std::uint64_t max_bytes) const {
  std::string leaf;
  AMBIT_TRY(folder, folder_of(path, leaf));
  const Fd dir(folder);
  const Fd fd(::openat(dir.get(), leaf.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) return failed("open", path);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return failed("look at", path);
  if (!S_ISREG(st.st_mode)) {
    return make_error(Code::kInvalidArgument, std::string(path) + " is not a regular file");
  }
  std::string out;
  char buffer[1 << 16];
  for (;;) {
    const auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", path);
    if (n == 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > max_bytes) {
      return make_error(Code::kResourceExhausted, std::string(path) + " is too large");
    }
  }
}

std::string WorkTree::beside(std::string_view path, std::string_view name) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string(name)
                                         : std::string(path.substr(0, slash + 1)).append(name);
}

Result<void> WorkTree::make_folders(std::string_view path, std::vector<std::string>& made) {
  AMBIT_CHECK_OK(check_path(path));
  for (auto slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    const auto folder = path.substr(0, slash);
    AMBIT_TRY(state, look(folder));
    if (state.kind != FileState::kMissing) continue;
    std::string leaf;
    AMBIT_TRY(parent, folder_of(folder, leaf));
    const Fd fd(parent);
    AMBIT_CHECK_OK(at("make a folder"));
    if (::mkdirat(fd.get(), leaf.c_str(), 0777) != 0) return failed("make the folder", folder);
    made.emplace_back(folder);
  }
  return {};
}

Result<void> WorkTree::write(std::string_view path, std::string_view content, unsigned mode,
                             std::string_view like) {
  std::string leaf;
  AMBIT_TRY(folder, folder_of(path, leaf));
  const Fd dir(folder);
  AMBIT_CHECK_OK(at("create"));
  ::unlinkat(dir.get(), leaf.c_str(), 0);
  const Fd fd(::openat(dir.get(), leaf.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) return failed("create", path);
  const auto half = content.size() / 2;
  for (std::size_t done = 0; done < content.size();) {
    AMBIT_CHECK_OK(at("write"));
    const auto upto = done < half ? half : content.size();
    const auto n = ::write(fd.get(), content.data() + done, upto - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write", path);
    done += static_cast<std::size_t>(n);
  }
  if (!like.empty()) {
    std::string like_leaf;
    if (auto like_folder = folder_of(like, like_leaf)) {
      const Fd like_dir(*like_folder);
      const Fd old(::openat(like_dir.get(), like_leaf.c_str(),
                            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      struct stat st {
      }, own{};
      if (old.get() >= 0 && ::fstat(old.get(), &st) == 0 && ::fstat(fd.get(), &own) == 0) {
        if ((st.st_uid != own.st_uid || st.st_gid != own.st_gid) &&
            ::fchown(fd.get(), st.st_uid, st.st_gid) != 0 && st.st_uid != own.st_uid) {
          return make_error(Code::kPermission,
                            std::string(like) + " belongs to another user; it is not replaced");
        }
        copy_attributes(old.get(), fd.get());
      }
    }
  }
  AMBIT_CHECK_OK(at("set the mode"));
  if (::fchmod(fd.get(), mode) != 0) return failed("set the mode of", path);
  AMBIT_CHECK_OK(at("sync"));
  if (::fsync(fd.get()) != 0) return failed("sync", path);
  return {};
}

Result<void> WorkTree::move(std::string_view from, std::string_view to, bool must_be_new) {
  std::string from_leaf, to_leaf;
  AMBIT_TRY(from_folder, folder_of(from, from_leaf));
  const Fd a(from_folder);
  AMBIT_TRY(to_folder, folder_of(to, to_leaf));
  const Fd b(to_folder);
  AMBIT_CHECK_OK(at("rename"));
  const unsigned flags = must_be_new ? RENAME_NOREPLACE : 0U;
  if (::renameat2(a.get(), from_leaf.c_str(), b.get(), to_leaf.c_str(), flags) == 0) return {};
  if (must_be_new && errno == EINVAL) {  // a file system that knows no such flag
    struct stat st {};
    if (::fstatat(b.get(), to_leaf.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
      errno = EEXIST;
    } else if (::renameat(a.get(), from_leaf.c_str(), b.get(), to_leaf.c_str()) == 0) {
      return {};
    }
  }
  return failed("replace", to);
}

Result<void> WorkTree::remove(std::string_view path) {
  std::string leaf;
  auto folder = folder_of(path, leaf);
  if (!folder) {
    if (folder.error().code == Code::kNotFound) return {};
    return folder.error();
  }
  const Fd dir(*folder);
  AMBIT_CHECK_OK(at("remove"));
  if (::unlinkat(dir.get(), leaf.c_str(), 0) != 0 && errno != ENOENT) return failed("remove", path);
  return {};
}

void WorkTree::remove_folder(std::string_view path) {
  std::string leaf;
  if (auto folder = folder_of(path, leaf)) {
    const Fd dir(*folder);
    ::unlinkat(dir.get(), leaf.c_str(), AT_REMOVEDIR);
  }
}

Result<void> WorkTree::sync_folder_of(std::string_view path) {
  std::string leaf;
  AMBIT_TRY(folder, folder_of(path, leaf));
  const Fd dir(folder);
  AMBIT_CHECK_OK(at("sync a folder"));
  if (::fsync(dir.get()) != 0 && errno != EINVAL) return failed("sync the folder of", path);
  return {};
}

}  // namespace ambit::daemon
