// Differences as reviews need them: staged against HEAD, work tree, a range of commits. Contents
// come from blobs, never from the work tree, except for the work tree's own side.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "indexer/types.h"

namespace ambit::indexer {

enum class Change : std::uint8_t { kAdded, kDeleted, kModified, kRenamed, kCopied, kTypeChanged };
[[nodiscard]] std::string_view to_string(Change change);

enum class LineOrigin : char { kContext = ' ', kAdded = '+', kRemoved = '-' };

struct DiffLine {
  LineOrigin origin = LineOrigin::kContext;
  std::uint32_t old_line = 0;  // 0-based; meaningless for added lines
  std::uint32_t new_line = 0;  // 0-based; meaningless for removed lines
  std::string text;            // without its line end
};

struct Hunk {
  std::uint32_t old_start = 0, old_count = 0;  // 0-based
  std::uint32_t new_start = 0, new_count = 0;  // 0-based
  std::string heading;                         // what git prints after @@
  std::vector<DiffLine> lines;
};

struct FileDiff {
  Change change = Change::kModified;
  std::string old_path, new_path;  // equal unless renamed or copied
  BlobId old_blob, new_blob;       // zero on the side that does not exist
  std::uint32_t old_mode = 0, new_mode = 0;
  bool binary = false;     // no hunks
  bool too_large = false;  // no hunks
  std::uint32_t added = 0, removed = 0;
  std::vector<Hunk> hunks;
};

struct Diff {
  std::string name;             // the exact trees compared: "<id>..<id>", "<id>..index"
  std::vector<FileDiff> files;  // by new path
};

struct DiffOptions {
  std::uint32_t context_lines = 3;
  bool find_renames = true;
  std::uint16_t rename_similarity = 50;  // per cent
  std::uint64_t max_file_bytes = std::uint64_t{4} << 20;
  std::size_t max_files = 5000;    // kResourceExhausted above
  std::vector<std::string> paths;  // only below these; empty: all
  std::string base;                // diff_staged: compare with this revision; empty: HEAD
};

// One path of a tree or an index. Submodules have mode 0160000, symlinks 0120000.
struct TreeEntry {
  std::string path;
  BlobId blob;
  std::uint32_t mode = 0;
};

// What `git commit` would record: HEAD (an empty tree when it is unborn) against the index. Hooks
// run with GIT_INDEX_FILE set: pass its value as index_file (relative to the current directory), or
// "" for the repository's own index.
[[nodiscard]] Result<Diff> diff_staged(const std::filesystem::path& repository,
                                       const std::filesystem::path& index_file,
                                       const DiffOptions& options = {});
// The index against the work tree, untracked files included as added.
[[nodiscard]] Result<Diff> diff_worktree(const std::filesystem::path& repository,
                                         const DiffOptions& options = {});
// Two trees, given as anything that git rev-parse understands (commits, tags, trees).
[[nodiscard]] Result<Diff> diff_trees(const std::filesystem::path& repository,
                                      const std::string& old_spec, const std::string& new_spec,
                                      const DiffOptions& options = {});
// "A..B", "A...B" (from the merge base), or "A" (A against its first parent).
[[nodiscard]] Result<Diff> diff_range(const std::filesystem::path& repository,
                                      const std::string& range, const DiffOptions& options = {});

// The content of one side: from the object store, by blob id.
[[nodiscard]] Result<std::string> blob_text(const std::filesystem::path& repository,
                                            const BlobId& blob, std::uint64_t max_bytes);
// The content of a path in the index (the repository's own when index_file is empty).
[[nodiscard]] Result<std::string> staged_text(const std::filesystem::path& repository,
                                              const std::filesystem::path& index_file,
                                              const std::string& path, std::uint64_t max_bytes);
// The tree that the index would be committed as; written to the object store.
[[nodiscard]] Result<std::string> staged_tree(const std::filesystem::path& repository,
                                              const std::filesystem::path& index_file);

// What the index holds, by path; conflicts and files that are only announced (`git add -N`) are
// left out.
[[nodiscard]] Result<std::vector<TreeEntry>> staged_entries(
    const std::filesystem::path& repository, const std::filesystem::path& index_file);
// What a revision holds, by path.
[[nodiscard]] Result<std::vector<TreeEntry>> tree_entries(const std::filesystem::path& repository,
                                                          const std::string& spec);
// Commits that are being merged (MERGE_HEAD), as hex ids; empty outside of a merge.
[[nodiscard]] std::vector<std::string> merge_heads(const std::filesystem::path& repository);

// As `git diff` prints it.
[[nodiscard]] std::string to_unified(const FileDiff& file);

}  // namespace ambit::indexer
