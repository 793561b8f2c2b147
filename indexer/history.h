// What the commits say about files: which changed lately, which change often, which change
// together. A History belongs to one commit (the tip that it was walked from), is immutable and may
// be read from any thread. Paths are those of the tip: a commit that renamed a file without
// changing it is followed back. Times are relative to the tip's own date, never to the clock, so
// the same commit always gives the same numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ambit::indexer {

struct FileHistory {
  std::uint32_t commits = 0;     // that changed the file, of those walked
  std::int64_t last_change = 0;  // seconds since 1970, committer's date; 0: not among those walked
  std::int64_t seconds_before = 0;  // from that change to the tip
  // Changes, each worth half as much for every kHalfLifeDays before the tip.
  double churn = 0;
};

struct CoChange {
  std::string path;
  std::uint32_t together = 0;  // commits that changed both
  // 0…1: the share of the asked file's changes that also changed this one; recent commits and
  // commits of few files count for more.
  double strength = 0;
};

class History {
 public:
  static constexpr double kHalfLifeDays = 90;
  // Commits of more files (a reformatting, an import) say nothing about who belongs together.
  static constexpr std::size_t kCoChangeFiles = 40;

  struct Commit {
    std::int64_t time = 0;             // seconds since 1970
    std::vector<std::uint32_t> files;  // indices into paths, ascending, unique
  };
  History() = default;  // of no commits
  // `commits` newest first.
  History(std::string tip, std::int64_t tip_time, std::vector<std::string> paths,
          std::vector<Commit> commits, bool complete);

  // The commit walked from, in hexadecimal; "" when there is none (no repository, unborn HEAD).
  [[nodiscard]] const std::string& tip() const { return tip_; }
  [[nodiscard]] std::size_t commits() const { return commits_.size(); }
  // False: the walk ended at its limit, older commits exist.
  [[nodiscard]] bool complete() const { return complete_; }

  // All zero for a path that no walked commit changed.
  [[nodiscard]] FileHistory of(std::string_view path) const;
  // Files that change together with this one, strongest first (ties by path).
  [[nodiscard]] std::vector<CoChange> with(std::string_view path, std::size_t limit) const;
  // Paths by their last change, newest first (ties by path).
  [[nodiscard]] std::vector<std::string> recent(std::size_t limit) const;

 private:
  [[nodiscard]] double weight(const Commit& c) const;
  [[nodiscard]] std::uint32_t find(std::string_view path) const;

  std::string tip_;
  std::int64_t tip_time_ = 0;
  std::vector<std::string> paths_;      // sorted
  std::vector<Commit> commits_;         // newest first
  std::vector<std::uint32_t> first_;    // [paths + 1] into touched_
  std::vector<std::uint32_t> touched_;  // commits of each path, newest first
  bool complete_ = true;
};

// Consecutive lines that one commit wrote.
struct BlameHunk {
  std::uint32_t line = 0;  // 0-based, in the text that was asked about
  std::uint32_t lines = 0;
  std::string commit;  // hexadecimal; "" when not committed yet, then the rest is empty
  std::string path;    // the file's name in that commit
  std::string author;
  std::string summary;    // first line of the message
  std::int64_t time = 0;  // author's date, seconds since 1970
};

}  // namespace ambit::indexer
