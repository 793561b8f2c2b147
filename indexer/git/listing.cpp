// Repository::list: which files there are.
#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "daemon/support/trace.h"
#include "indexer/git/raw.h"
#include "indexer/git/repository.h"
#include "indexer/git/stat.h"

namespace ambit::indexer {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxFiles = 2'000'000;

// The deepest folders of a plain tree are not followed further than this.
constexpr int kMaxFolderDepth = 64;

// A folder of files without a repository. Links are listed, never followed; other repositories
// below and the folders of version control are left out.
using LeftOut = std::function<bool(const std::string& path, bool is_folder)>;
void walk_folder(const fs::path& root, const std::string& base, int depth, const LeftOut& left_out,
                 const std::stop_token& stop, std::vector<WorkFile>& out) {
  if (depth > kMaxFolderDepth || out.size() > kMaxFiles || stop.stop_requested()) return;
  std::error_code ec;
  for (fs::directory_iterator it(base.empty() ? root : root / base, ec), end; !ec && it != end;
       it.increment(ec)) {
    const auto name = it->path().filename().string();
    if (name == ".git" || name == ".hg" || name == ".svn" || name == "node_modules") continue;
    const auto path = base.empty() ? name : base + "/" + name;
    struct stat st {};
    if (lstat(it->path().c_str(), &st) != 0) continue;
    if (left_out && left_out(path, S_ISDIR(st.st_mode))) continue;
    if (S_ISDIR(st.st_mode)) {
      walk_folder(root, path, depth + 1, left_out, stop, out);
    } else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) {
      WorkFile f;
      f.path = path;
      f.tracked = false;
      fill_stat(st, f);
      out.push_back(std::move(f));
    }
  }
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

// What the commit at HEAD has; nothing before the first commit.
std::vector<WorkFile> files_of_head(git_repository* repo) {
  std::vector<WorkFile> out;
  raw::Holder<git_object, git_object_free> tree;
  if (git_revparse_single(&tree.p, repo, "HEAD^{tree}") != 0) return out;
  raw::Holder<git_odb, git_odb_free> odb;
  (void)git_repository_odb(&odb.p, repo);
  TreeWalk w{repo, &out, odb.p};
  git_tree_walk(reinterpret_cast<git_tree*>(tree.p), GIT_TREEWALK_PRE, on_tree_entry, &w);
  return out;
}

}  // namespace

Result<std::vector<WorkFile>> Repository::list(std::stop_token stop) const {
  std::vector<WorkFile> out;
  if (git_ == nullptr) {
    walk_folder(root_, "", 0, {}, stop, out);
  } else if (bare_) {
    out = files_of_head(git_);
  } else {
    auto listed = list_by_index(stop);
    if (listed) {
      out = std::move(*listed);
    } else if (listed.error().code == Code::kCancelled) {
      return listed;
    } else {
      log(LogLevel::kWarning, "index", listed.error().message + "; its files are looked for");
      out = list_by_head(stop);
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

Result<std::vector<WorkFile>> Repository::list_by_index(const std::stop_token& stop) const {
  std::vector<WorkFile> out;
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
    // libgit2 also calls deleted what a sparse checkout leaves out.
    const bool left_out = (e->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE) != 0;
    if ((state & GIT_STATUS_WT_DELETED) != 0 && !left_out) continue;
    f.blob = raw::blob_id(e->id);
    f.bytes = e->file_size;
    f.mtime_ns = static_cast<std::int64_t>(e->mtime.seconds) * 1'000'000'000 + e->mtime.nanoseconds;
    const bool conflict = git_index_entry_stage(e) != 0;
    if (e->mode == GIT_FILEMODE_COMMIT) {
      f.kind = FileKind::kSubmodule;
    } else if (left_out) {
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
  return out;
}

std::vector<WorkFile> Repository::list_by_head(const std::stop_token& stop) const {
  auto out = files_of_head(git_);
  std::unordered_map<std::string, std::size_t> tracked;
  for (std::size_t i = 0; i < out.size(); ++i) tracked.emplace(out[i].path, i);
  const auto left_out = [&](const std::string& path, bool is_folder) {
    std::error_code ec;
    if (is_folder && fs::exists(root_ / path / ".git", ec)) return true;  // not ours
    int ignored = 0;
    return !tracked.contains(path) &&
           git_ignore_path_is_ignored(&ignored, git_, (is_folder ? path + "/" : path).c_str()) ==
               0 &&
           ignored != 0;
  };
  std::vector<WorkFile> on_disk;
  walk_folder(root_, "", 0, left_out, stop, on_disk);
  for (auto& f : on_disk) {
    const auto it = tracked.find(f.path);
    if (it == tracked.end()) {
      out.push_back(std::move(f));
    } else {
      f.tracked = true;
      out[it->second] = std::move(f);
    }
  }
  // A sparse checkout leaves out whole folders; from one that is there a file was deleted.
  std::erase_if(out, [&](const WorkFile& f) {
    std::error_code ec;
    return !f.on_disk && f.kind != FileKind::kSubmodule &&
           fs::exists((root_ / f.path).parent_path(), ec);
  });
  return out;
}

}  // namespace ambit::indexer
