#include "indexer/git/repository.h"

#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "indexer/git/raw.h"

namespace ambit::indexer {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxFiles = 2'000'000;

// The deepest folders of a plain tree are not followed further than this.
constexpr int kMaxFolderDepth = 64;

std::int64_t nanoseconds(const struct timespec& t) {
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

std::uint64_t stamp_of(const struct stat& st) {
  std::uint64_t h = 0x9E3779B97F4A7C15U;
  for (const auto v :
       {static_cast<std::uint64_t>(st.st_ino), static_cast<std::uint64_t>(nanoseconds(st.st_ctim)),
        static_cast<std::uint64_t>(nanoseconds(st.st_mtim)),
        static_cast<std::uint64_t>(st.st_size)}) {
    h = (h ^ v) * 0xD6E8FEB86659FD93U;
    h ^= h >> 32;
  }
  return h | 1;
}

void fill_stat(const struct stat& st, WorkFile& f) {
  f.stamp = stamp_of(st);
  f.bytes = static_cast<std::uint64_t>(st.st_size);
  f.mtime_ns = nanoseconds(st.st_mtim);
  f.kind = S_ISLNK(st.st_mode) ? FileKind::kSymlink : FileKind::kRegular;
  f.on_disk = true;
}

// A folder of files without a repository. Links are listed, never followed; other repositories
// below and the folders of version control are left out.
void walk_folder(const fs::path& root, const std::string& base, int depth, std::stop_token stop,
                 std::vector<WorkFile>& out) {
  if (depth > kMaxFolderDepth || out.size() > kMaxFiles || stop.stop_requested()) return;
  std::error_code ec;
  for (fs::directory_iterator it(base.empty() ? root : root / base, ec), end; !ec && it != end;
       it.increment(ec)) {
    const auto name = it->path().filename().string();
    if (name == ".git" || name == ".hg" || name == ".svn" || name == "node_modules") continue;
    const auto path = base.empty() ? name : base + "/" + name;
    struct stat st {};
    if (lstat(it->path().c_str(), &st) != 0) continue;
    if (S_ISDIR(st.st_mode)) {
      walk_folder(root, path, depth + 1, stop, out);
    } else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) {
      WorkFile f;
      f.path = path;
      f.tracked = false;
      fill_stat(st, f);
      out.push_back(std::move(f));
    }
  }
}

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

struct TreeWalk {
  git_repository* repo;
  std::vector<WorkFile>* out;
  git_odb* odb;
};

int on_tree_entry(const char* root, const git_tree_entry* entry, void* payload) {
  auto& w = *static_cast<TreeWalk*>(payload);
  const auto mode = git_tree_entry_filemode(entry);
  if (mode == GIT_FILEMODE_TREE) return 0;
  WorkFile f;
  f.path = std::string(root) + git_tree_entry_name(entry);
  f.blob = raw::blob_id(*git_tree_entry_id(entry));
  f.on_disk = false;
  f.kind = mode == GIT_FILEMODE_LINK     ? FileKind::kSymlink
           : mode == GIT_FILEMODE_COMMIT ? FileKind::kSubmodule
                                         : FileKind::kRegular;
  if (f.kind == FileKind::kRegular && w.odb != nullptr) {
    std::size_t bytes = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    if (git_odb_read_header(&bytes, &type, w.odb, git_tree_entry_id(entry)) == 0) f.bytes = bytes;
  }
  w.out->push_back(std::move(f));
  return 0;
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
  return *this;
}
Repository::~Repository() {
  if (git_ != nullptr) git_repository_free(git_);
  if (root_fd_ >= 0) ::close(root_fd_);
}

std::string Repository::head_name() const {
  if (git_ == nullptr) return {};
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

Result<std::vector<WorkFile>> Repository::list(std::stop_token stop) const {
  std::vector<WorkFile> out;
  if (git_ == nullptr) {
    walk_folder(root_, "", 0, stop, out);
  } else if (bare_) {
    raw::Holder<git_object, git_object_free> tree;
    if (git_revparse_single(&tree.p, git_, "HEAD^{tree}") == 0) {
      git_odb* odb = nullptr;
      (void)git_repository_odb(&odb, git_);
      TreeWalk w{git_, &out, odb};
      git_tree_walk(reinterpret_cast<git_tree*>(tree.p), GIT_TREEWALK_PRE, on_tree_entry, &w);
      if (odb != nullptr) git_odb_free(odb);
    }
  } else {
    raw::Holder<git_index, git_index_free> index;
    if (git_repository_index(&index.p, git_) != 0) {
      return raw::last_error(Code::kCorrupt, "the index of " + root_.string() + " cannot be read");
    }
    (void)git_index_read(index.p, 0);
    // What status calls clean has the content that the index names; the rest is hashed by the
    // caller.
    git_status_options options;
    git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
    options.show = GIT_STATUS_SHOW_WORKDIR_ONLY;
    options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS |
                    GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
    raw::Holder<git_status_list, git_status_list_free> status;
    if (git_status_list_new(&status.p, git_, &options) != 0) {
      return raw::last_error(Code::kIo, "the state of " + root_.string() + " cannot be read");
    }
    std::unordered_map<std::string, unsigned> changed;
    const auto n = git_status_list_entrycount(status.p);
    for (std::size_t i = 0; i < n; ++i) {
      const auto* e = git_status_byindex(status.p, i);
      if (e->index_to_workdir == nullptr) continue;
      const char* path = e->index_to_workdir->new_file.path != nullptr
                             ? e->index_to_workdir->new_file.path
                             : e->index_to_workdir->old_file.path;
      if ((e->status & GIT_STATUS_WT_NEW) != 0) {
        WorkFile f;
        f.path = path;
        f.tracked = false;
        if (f.path.ends_with('/')) continue;  // a repository inside, not ours
        struct stat st {};
        if (fstatat(root_fd_, path, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) continue;
        fill_stat(st, f);
        out.push_back(std::move(f));
      } else {
        changed[path] = e->status;
      }
    }
    const auto entries = git_index_entrycount(index.p);
    std::string last;
    for (std::size_t i = 0; i < entries; ++i) {
      if (stop.stop_requested()) return make_error(Code::kCancelled, "listing files was cancelled");
      const auto* e = git_index_get_byindex(index.p, i);
      WorkFile f;
      f.path = e->path;
      if (f.path == last) continue;  // further stages of a conflict
      last = f.path;
      const auto it = changed.find(f.path);
      const auto state = it == changed.end() ? 0U : it->second;
      if ((state & GIT_STATUS_WT_DELETED) != 0) continue;
      f.blob = raw::blob_id(e->id);
      f.bytes = e->file_size;
      f.mtime_ns =
          static_cast<std::int64_t>(e->mtime.seconds) * 1'000'000'000 + e->mtime.nanoseconds;
      const bool conflict = git_index_entry_stage(e) != 0;
      if (e->mode == GIT_FILEMODE_COMMIT) {
        f.kind = FileKind::kSubmodule;
      } else if ((e->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE) != 0) {
        struct stat st {};
        if (fstatat(root_fd_, e->path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
          fill_stat(st, f);
          f.blob = {};
        } else {
          f.on_disk = false;
          if (f.bytes == 0) {
            git_odb* odb = nullptr;
            std::size_t bytes = 0;
            git_object_t type = GIT_OBJECT_INVALID;
            if (git_repository_odb(&odb, git_) == 0) {
              if (git_odb_read_header(&bytes, &type, odb, &e->id) == 0) f.bytes = bytes;
              git_odb_free(odb);
            }
          }
        }
        f.kind = e->mode == GIT_FILEMODE_LINK ? FileKind::kSymlink : FileKind::kRegular;
      } else if (state != 0 || conflict) {
        struct stat st {};
        if (fstatat(root_fd_, e->path, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) continue;
        fill_stat(st, f);
        f.blob = {};
      } else {
        f.kind = e->mode == GIT_FILEMODE_LINK ? FileKind::kSymlink : FileKind::kRegular;
        // Filters (line ends, LFS) may make the bytes on disk differ from the blob: hash those.
        struct stat st {};
        if (fstatat(root_fd_, e->path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
          f.mtime_ns = nanoseconds(st.st_mtim);
          f.stamp = stamp_of(st);
          f.bytes = static_cast<std::uint64_t>(st.st_size);
        }
      }
      out.push_back(std::move(f));
    }
    // Submodules are repositories of their own, seen through ours.
    std::vector<WorkFile> inside;
    for (const auto& f : out) {
      if (f.kind != FileKind::kSubmodule) continue;
      std::error_code ec;
      const auto folder = root_ / f.path;
      if (!fs::exists(folder / ".git", ec) || fs::is_symlink(folder, ec)) continue;
      auto child = Repository::open(folder);
      if (!child || !child->is_git() || child->root_ != folder) continue;
      auto files = child->list(stop);
      if (!files) continue;
      for (auto& c : *files) {
        c.path = f.path + "/" + c.path;
        inside.push_back(std::move(c));
      }
    }
    out.insert(out.end(), std::make_move_iterator(inside.begin()),
               std::make_move_iterator(inside.end()));
  }
  if (stop.stop_requested()) return make_error(Code::kCancelled, "listing files was cancelled");
  if (out.size() > kMaxFiles) {
    return make_error(Code::kResourceExhausted, "more than 2,000,000 files below " +
                                                    root_.string() + "; open a smaller folder");
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  out.erase(std::unique(out.begin(), out.end(),
                        [](const auto& a, const auto& b) { return a.path == b.path; }),
            out.end());
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
