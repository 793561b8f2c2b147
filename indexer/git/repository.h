// One repository (or plain folder) on disk: where it is, which files it has, what their bytes are.
// The only folder that knows libgit2. A Repository may be used by one thread at a time; open one
// per thread (opening costs well under a millisecond).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "indexer/types.h"

struct git_repository;

namespace ambit::indexer {

enum class FileKind : std::uint8_t { kRegular, kSymlink, kSubmodule };

struct WorkFile {
  std::string path;
  BlobId blob;  // zero when the content is not known yet: read and hash it
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t stamp = 0;  // of inode, change time, size: equal stamps mean an untouched file
  FileKind kind = FileKind::kRegular;
  bool tracked = true;
  bool on_disk = true;  // false: sparse checkout, bare repository; the blob is in the object store
};

class Repository {
 public:
  // Finds the repository that holds `root`; a folder without one is taken as it is. Refuses "/" and
  // the home directory (kInvalidArgument), and a folder that does not exist (kNotFound).
  [[nodiscard]] static Result<Repository> open(const std::filesystem::path& root);
  Repository(Repository&&) noexcept;
  Repository& operator=(Repository&&) noexcept;
  ~Repository();

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }  // work tree or git dir
  [[nodiscard]] bool is_git() const { return git_ != nullptr; }
  [[nodiscard]] bool is_bare() const { return bare_; }
  [[nodiscard]] const std::filesystem::path& common_dir() const { return common_dir_; }
  [[nodiscard]] const std::filesystem::path& git_dir() const { return git_dir_; }

  // "<commit> main", "<commit> (detached)", "(unborn) main", "" without a repository, and
  // "(not read as git: …)" for one of a kind that libgit2 does not know (SHA-256).
  [[nodiscard]] std::string head_name() const;

  // Tracked files and files that are neither tracked nor ignored, sorted by path (bytes).
  // Submodules that are checked out are listed with their own files under their path. Where git's
  // index cannot be read (a sparse one, a damaged one, a file without permission), the files of
  // HEAD and of the work tree are taken, to be hashed.
  [[nodiscard]] Result<std::vector<WorkFile>> list(std::stop_token stop = {}) const;
  // The same for one path: kNotFound when it is gone or ignored, kInvalidArgument for a folder that
  // is not ignored. What is listed already is not asked for ignore rules again.
  [[nodiscard]] Result<WorkFile> look(const std::string& path, bool listed = false) const;

  // Work tree bytes of a path below the root. kPermission when a component of it is a symlink or it
  // leaves the root; kResourceExhausted above max_bytes.
  [[nodiscard]] Result<std::string> read(std::string_view path, std::uint64_t max_bytes) const;
  // Its bytes [part.begin, part.end) while its stamp is still this one, else kNotFound.
  [[nodiscard]] Result<std::string> read_part(std::string_view path, std::uint64_t stamp,
                                              ByteSpan part) const;
  // From the object store. kNotFound: not there (a partial clone; nothing is fetched).
  [[nodiscard]] Result<std::string> read_blob(const BlobId& blob, std::uint64_t max_bytes) const;

  [[nodiscard]] git_repository* raw() const { return git_; }

 private:
  Repository() = default;
  // Opened component by component, so that no link on the way leads elsewhere. The caller closes.
  [[nodiscard]] Result<int> open_below(std::string_view path) const;
  [[nodiscard]] Result<std::vector<WorkFile>> list_by_index(const std::stop_token& stop) const;
  [[nodiscard]] std::vector<WorkFile> list_by_head(const std::stop_token& stop) const;
  git_repository* git_ = nullptr;
  std::filesystem::path root_, common_dir_, git_dir_;
  bool bare_ = false;
  int root_fd_ = -1;
  std::string problem_;  // why a repository was not opened
};

// WorkFile::stamp of a path as it is now, 0 when it is not there. A stamp younger than
// kRacyNanoseconds may hide a further write in the same tick of the clock.
[[nodiscard]] std::uint64_t file_stamp(const std::filesystem::path& path);
inline constexpr std::int64_t kRacyNanoseconds = 50'000'000;

// Content identity as git has it, without filters (line ends stay as they are on disk).
[[nodiscard]] BlobId hash_blob(std::string_view content);

}  // namespace ambit::indexer
