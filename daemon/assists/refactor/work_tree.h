// The files below one root, reached without ever following a link: every folder on the way is
// opened by itself (openat, O_NOFOLLOW), so that no path, whoever wrote it, leaves the root.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::daemon {

struct FileState {
  enum Kind { kMissing, kRegular, kLink, kOther } kind = kMissing;
  unsigned mode = 0;  // permission bits
  std::uint64_t size = 0, inode = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  friend bool operator==(const FileState&, const FileState&) = default;
};

// Called before each thing that touches the disk, with a word for it. A test answers with an error
// (a full disk) or ends the process there (kill -9). Empty: nothing happens.
using DiskPoint = std::function<Result<void>(std::string_view what)>;

class WorkTree {
 public:
  [[nodiscard]] static Result<WorkTree> open(const std::filesystem::path& root,
                                             DiskPoint point = {});
  WorkTree(WorkTree&& o) noexcept;
  WorkTree& operator=(WorkTree&& o) noexcept;
  ~WorkTree();

  // Missing is an answer; kPermission when a folder on the way is a link or the path is not one.
  [[nodiscard]] Result<FileState> look(std::string_view path) const;
  // Regular files only.
  [[nodiscard]] Result<std::string> read(std::string_view path,
                                         std::uint64_t max_bytes = std::uint64_t{64} << 20) const;

  // The temporary file that stands beside `path`.
  [[nodiscard]] static std::string beside(std::string_view path, std::string_view name);
  // Makes the folders above path that are missing; the outermost first in `made`.
  [[nodiscard]] Result<void> make_folders(std::string_view path, std::vector<std::string>& made);
  // A new file with these bytes, synced; owner, group and extended attributes as `like` has them
  // when that exists. Replaces what a dead process left under this name.
  [[nodiscard]] Result<void> write(std::string_view path, std::string_view content, unsigned mode,
                                   std::string_view like);
  // Atomic; refuses to replace anything when `must_be_new`.
  [[nodiscard]] Result<void> move(std::string_view from, std::string_view to, bool must_be_new);
  // A missing file is fine.
  [[nodiscard]] Result<void> remove(std::string_view path);
  // Only when it is empty; anything else is left alone.
  void remove_folder(std::string_view path);
  [[nodiscard]] Result<void> sync_folder_of(std::string_view path);

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

 private:
  WorkTree() = default;
  [[nodiscard]] Result<int> folder_of(std::string_view path, std::string& leaf) const;
  [[nodiscard]] Result<void> at(std::string_view what) const {
    return point_ ? point_(what) : Result<void>();
  }
  std::filesystem::path root_;
  DiskPoint point_;
  int fd_ = -1;
};

}  // namespace ambit::daemon
