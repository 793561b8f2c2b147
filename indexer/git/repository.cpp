#include "indexer/git/repository.h"

#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "indexer/git/raw.h"
#include "indexer/git/stat.h"

namespace ambit::indexer {
namespace {

namespace fs = std::filesystem;
struct Descriptor {
  int fd;
  ~Descriptor() { ::close(fd); }
};

// Less when the file ends before.
std::string read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string out(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const auto n = ::pread(fd, out.data() + got, size - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    got += static_cast<std::size_t>(n);
  }
  out.resize(got);
  return out;
}

}  // namespace

Result<Repository> Repository::open(const fs::path& given) {
  raw::init();
  std::error_code ec;
  const auto start = fs::canonical(given, ec);
  if (ec) return make_error(Code::kNotFound, "there is no folder " + given.string());
  if (!fs::is_directory(start, ec)) {
    return make_error(Code::kInvalidArgument, given.string() + " is not a folder");
  }
  Repository r;
  const int rc = git_repository_open_ext(&r.git_, start.c_str(), 0, nullptr);
  if (rc == 0) {
    r.bare_ = git_repository_is_bare(r.git_) == 1;
    r.git_dir_ = git_repository_path(r.git_);
    r.common_dir_ = git_repository_commondir(r.git_);
    const auto* workdir = git_repository_workdir(r.git_);
    r.root_ = fs::canonical(workdir != nullptr ? workdir : git_repository_path(r.git_), ec);
  } else {
    r.git_ = nullptr;
    r.root_ = start;
    if (rc != GIT_ENOTFOUND) {
      const auto* e = git_error_last();
      r.problem_ = e != nullptr && e->message != nullptr ? e->message : "it cannot be opened";
    }
  }
  const char* home = std::getenv("HOME");
  const auto home_path = home != nullptr ? fs::canonical(home, ec) : fs::path();
  if (r.root_ == "/" || (!home_path.empty() && r.root_ == home_path)) {
    return make_error(
        Code::kInvalidArgument,
        "'" + r.root_.string() + "' is not indexed: it is not one project; open a folder below it");
  }
  r.root_fd_ = ::open(r.root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (r.root_fd_ < 0) return make_error(Code::kPermission, "cannot open " + r.root_.string());
  return r;
}

Repository::Repository(Repository&& o) noexcept {
  *this = std::move(o);
}
Repository& Repository::operator=(Repository&& o) noexcept {
  std::swap(git_, o.git_);
  std::swap(root_, o.root_);
  std::swap(common_dir_, o.common_dir_);
  std::swap(git_dir_, o.git_dir_);
  std::swap(bare_, o.bare_);
  std::swap(root_fd_, o.root_fd_);
  std::swap(problem_, o.problem_);
  return *this;
}
Repository::~Repository() {
  if (git_ != nullptr) git_repository_free(git_);
  if (root_fd_ >= 0) ::close(root_fd_);
}

std::string Repository::head_name() const {
  if (git_ == nullptr) return problem_.empty() ? "" : "(not read as git: " + problem_ + ")";
  git_reference* head = nullptr;
  const int rc = git_repository_head(&head, git_);
  if (rc == GIT_EUNBORNBRANCH) {
    git_reference* symbolic = nullptr;
    std::string branch;
    if (git_reference_lookup(&symbolic, git_, "HEAD") == 0) {
      const auto* target = git_reference_symbolic_target(symbolic);
      if (target != nullptr) branch = target;
      git_reference_free(symbolic);
    }
    const auto slash = branch.rfind('/');
    return "(unborn) " + (slash == std::string::npos ? branch : branch.substr(slash + 1));
  }
  if (rc != 0) return "(no HEAD)";
  std::string out;
  if (const auto* id = git_reference_target(head); id != nullptr) out = raw::hex(*id);
  out += git_repository_head_detached(git_) == 1 ? " (detached)"
                                                 : std::string(" ") + git_reference_shorthand(head);
  git_reference_free(head);
  return out;
}

Result<WorkFile> Repository::look(const std::string& path, bool listed) const {
  WorkFile f;
  f.path = path;
  struct stat st {};
  if (bare_ || fstatat(root_fd_, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 ||
      (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode))) {
    return make_error(Code::kNotFound, path + " is not a file");
  }
  const bool folder = S_ISDIR(st.st_mode);
  if (git_ != nullptr && !listed) {
    if (path == ".git" || path.starts_with(".git/"))
      return make_error(Code::kNotFound, path + " is git's own");
    int ignored = 0;
    if (git_ignore_path_is_ignored(&ignored, git_, (folder ? path + "/" : path).c_str()) == 0 &&
        ignored != 0) {
      raw::Holder<git_index, git_index_free> index;
      const bool tracked = !folder && git_repository_index(&index.p, git_) == 0 &&
                           git_index_read(index.p, 0) == 0 &&
                           git_index_get_bypath(index.p, path.c_str(), 0) != nullptr;
      if (!tracked) return make_error(Code::kNotFound, path + " is ignored");
    }
  }
  if (folder) return make_error(Code::kInvalidArgument, path + " is a folder");
  fill_stat(st, f);
  return f;
}

Result<int> Repository::open_below(std::string_view path) const {
  const auto outside = [&] {
    return make_error(Code::kPermission,
                      "'" + std::string(path) + "' is not a path below the root");
  };
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string_view::npos)
    return outside();
  int dir = root_fd_;
  for (std::size_t at = 0;;) {
    const auto slash = std::min(path.find('/', at), path.size());
    const std::string part(path.substr(at, slash - at));
    const bool last = slash == path.size();
    const bool odd = part.empty() || part == "." || part == "..";
    const int fd =
        odd ? -1
            : ::openat(dir, part.c_str(),
                       O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (last ? 0 : O_DIRECTORY));
    const int error = errno;
    if (dir != root_fd_) ::close(dir);
    if (odd) return outside();
    if (fd < 0) {
      if (error == ELOOP || (error == ENOTDIR && !last))
        return make_error(Code::kPermission, "'" + std::string(path) + "' leads through a link");
      if (error == ENOENT || error == ENOTDIR)
        return make_error(Code::kNotFound, "there is no file " + std::string(path));
      return make_error(Code::kIo,
                        "cannot open " + std::string(path) + ": " + std::strerror(error));
    }
    if (last) return fd;
    dir = fd;
    at = slash + 1;
  }
}

Result<std::string> Repository::read(std::string_view path, std::uint64_t max_bytes) const {
  AMBIT_TRY(fd, open_below(path));
  const Descriptor closing{fd};
  struct stat st {};
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
    return make_error(Code::kNotFound, "there is no file " + std::string(path));
  const auto size = static_cast<std::uint64_t>(st.st_size);
  if (size > max_bytes) {
    return make_error(Code::kResourceExhausted, std::string(path) + " is larger than " +
                                                    std::to_string(max_bytes) + " bytes");
  }
  return read_at(fd, 0, static_cast<std::size_t>(size));
}

Result<std::string> Repository::read_part(std::string_view path, std::uint64_t stamp,
                                          ByteSpan part) const {
  AMBIT_TRY(fd, open_below(path));
  const Descriptor closing{fd};
  struct stat st {};
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || stamp_of(st) != stamp)
    return make_error(Code::kNotFound, std::string(path) + " is not what it was");
  return read_at(fd, part.begin, part.size());
}

Result<std::string> Repository::read_blob(const BlobId& blob, std::uint64_t max_bytes) const {
  if (git_ == nullptr) return make_error(Code::kNotFound, "there is no object store");
  return raw::read_blob(git_, blob, max_bytes);
}

std::uint64_t file_stamp(const fs::path& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0 ? stamp_of(st) : 0;
}

BlobId hash_blob(std::string_view content) {
  git_oid id;
  raw::init();
  BlobId out;
  if (git_odb_hash(&id, content.data(), content.size(), GIT_OBJECT_BLOB) == 0)
    out = raw::blob_id(id);
  return out;
}

}  // namespace ambit::indexer
