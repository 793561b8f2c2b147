// What is under review: the files that a change touches, with the exact bytes of both sides. Made
// from blobs; only the work tree's own side is read from disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "indexer/filter.h"
#include "indexer/git/diff.h"
#include "indexer/index.h"
#include "indexer/syntax/extract.h"

namespace ambit::daemon::review {

enum class Scope : std::uint8_t { kStaged, kWorktree, kRange, kPatch };

struct Source {
  Scope scope = Scope::kStaged;
  std::filesystem::path repository;  // a folder inside it, or its git folder
  std::filesystem::path index_file;  // kStaged: what GIT_INDEX_FILE said, absolute; or empty
  std::string range;                 // kRange
  // kStaged: further parents of the commit to be, as hex ids; MERGE_HEAD is looked up besides.
  std::vector<std::string> parents;
  std::string patch;               // kPatch: the text of a unified diff
  std::vector<std::string> paths;  // only these files or folders; empty: all
};

// Lines [begin, end), 0-based.
struct Lines {
  std::uint32_t begin = 0, end = 0;
};

// One side of a file.
struct Side {
  std::string text;
  indexer::Facts facts;  // empty without a grammar
  bool parsed = false;
  [[nodiscard]] std::string_view slice(indexer::ByteSpan s) const {
    return std::string_view(text).substr(s.begin, s.size());
  }
};

struct ChangedFile {
  indexer::FileDiff diff;
  std::string path;  // the new path, the old one when it is gone
  indexer::Language language{};
  indexer::FileClass file_class = indexer::FileClass::kSource;
  std::optional<Side> before, after;  // empty: does not exist, or is not text
  std::vector<Lines> added;           // of `after`; in a merge only what neither parent has
  // Lines of `after` next to lines that went without others in their place; none in a merge.
  std::vector<Lines> beside_removed;
  std::string_view skipped;  // why the content is not looked at; empty: it is

  [[nodiscard]] bool line_added(std::uint32_t line) const;
  [[nodiscard]] bool touches(std::uint32_t first, std::uint32_t last) const;  // both inclusive
  // Added, or beside what was removed: what a finding may be about.
  [[nodiscard]] std::vector<Lines> changed() const;
};

struct ChangeSet {
  std::string name;            // which trees: "<id>..index"
  std::filesystem::path root;  // of the work tree
  std::vector<ChangedFile> files;
  std::uint32_t added = 0, removed = 0;  // lines
  // The tree after the change, by path; how snapshot_after() lays it over the work tree's index.
  std::vector<indexer::TreeEntry> tree;
  bool tree_is_worktree = false;  // the work tree itself, or a patch of it

  [[nodiscard]] const ChangedFile* find(std::string_view path) const;
};

// kInvalidArgument, kNotFound (no repository, no such range), kResourceExhausted.
[[nodiscard]] Result<ChangeSet> load_change(const Source& source);

// The whole repository as it will be after the change: the index of the work tree, with every file
// that differs from the reviewed tree replaced by the reviewed content.
[[nodiscard]] std::shared_ptr<const indexer::Snapshot> snapshot_after(
    const ChangeSet& change, const std::shared_ptr<const indexer::Snapshot>& worktree);

// Offsets of line starts, one more than there are lines at the end of the text.
[[nodiscard]] std::vector<std::uint32_t> line_starts(std::string_view text);
[[nodiscard]] std::string_view line_text(std::string_view text,
                                         const std::vector<std::uint32_t>& starts,
                                         std::uint32_t line);

}  // namespace ambit::daemon::review
