// Walks commits for a History, and blames lines. What a commit changed never changes, so it is kept
// by commit id: a second walk (after a commit, a checkout, in another worktree) reads only commits
// that it has not seen, and gives what a first walk would give.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/file.h"
#include "daemon/support/result.h"
#include "indexer/history.h"

namespace ambit::indexer {

struct HistoryOptions {
  std::size_t max_commits = 2000;  // newest first, merges included
  // Where commits are remembered; empty: only as long as the HistoryWalker lives.
  std::filesystem::path cache_directory;
};

// One repository's commits. One thread at a time.
class HistoryWalker {
 public:
  HistoryWalker(std::filesystem::path root, HistoryOptions options,
                FileSystem& files = file_system());
  ~HistoryWalker();

  // From HEAD. An empty History without a repository or with an unborn HEAD. kCancelled within
  // 100 ms of a stop request; commits read until then are remembered.
  [[nodiscard]] Result<std::shared_ptr<const History>> walk(std::stop_token stop = {});
  // Commits whose changes the last walk had to read from the repository.
  [[nodiscard]] std::size_t read_commits() const { return read_; }

 private:
  struct Cache;
  std::filesystem::path root_;
  HistoryOptions options_;
  FileSystem& files_;
  std::unique_ptr<Cache> cache_;
  std::shared_ptr<const History> last_;
  std::size_t read_ = 0;
};

// Who wrote lines [line, line + count) of `text`, the current content of `path` (relative to the
// root), as far as HEAD goes: lines that HEAD does not have are one hunk without a commit.
// kNotFound when HEAD has no such file; kResourceExhausted above 8 MB.
[[nodiscard]] Result<std::vector<BlameHunk>> blame(const std::filesystem::path& root,
                                                   const std::string& path, std::string_view text,
                                                   std::uint32_t line, std::uint32_t count);

}  // namespace ambit::indexer
