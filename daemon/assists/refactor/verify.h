// Tries a change in a copy of the repository before it touches the work tree: the files that git
// would show, kept below the cache directory from one time to the next, so that builds there stay
// warm. The user's command runs in the copy, never in the work tree; what fails there without the
// change is not held against it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/assists/refactor/plan.h"

namespace ambit::daemon {

struct CommandRun {
  int exit_code = 0;  // 128 + signal when it was ended by one
  bool timed_out = false;
  std::string output;  // stdout and stderr; the last 256 KiB
  double seconds = 0;
};

// Runs a program with its arguments in a folder: no shell, no stdin, a process group of its own
// that ends with it. kNotFound when there is no such program; kCancelled.
[[nodiscard]] Result<CommandRun> run_command(const std::vector<std::string>& words,
                                             const std::filesystem::path& folder,
                                             std::int64_t timeout_s, std::stop_token stop = {});

// "make -j2 'my target'" as words: blanks separate, quotes keep together, a backslash keeps one
// character. kInvalidArgument for a quote that does not end.
[[nodiscard]] Result<std::vector<std::string>> split_command(std::string_view text);

// Lines of an output that speak of a failure, without what differs from run to run.
[[nodiscard]] std::set<std::string> failures_in(std::string_view output);

struct Verdict {
  bool passed = false;
  std::string summary;                // one line
  std::vector<std::string> failures;  // lines that are new with the change
  double seconds = 0;
  bool baseline_cached = false;
};

// One process at a time uses a copy: it is locked until the Scratch goes.
class Scratch {
 public:
  Scratch(Scratch&& o) noexcept;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();
  // Makes or brings up to date the copy of `root`.
  [[nodiscard]] static Result<Scratch> prepare(const std::filesystem::path& root,
                                               const std::filesystem::path& cache,
                                               std::stop_token stop = {});
  // Every touched file parses no worse, and the command (when there is one) fails in nothing in
  // which it did not fail before.
  [[nodiscard]] Result<Verdict> verify(const ChangeSet& changes,
                                       const std::vector<std::string>& command,
                                       std::int64_t timeout_s, std::stop_token stop = {},
                                       const std::function<void(std::string_view)>& say = {});
  [[nodiscard]] const std::filesystem::path& tree() const { return tree_; }

 private:
  Scratch() = default;
  [[nodiscard]] Result<CommandRun> baseline(const std::vector<std::string>& command,
                                            std::int64_t timeout_s, std::stop_token stop,
                                            bool& cached);
  std::filesystem::path folder_, tree_;
  int lock_ = -1;
  std::string fingerprint_;  // of all files as they are without the change
};

// Verifies the plan; when it fails, drops the steps one by one (the model's first, the last first)
// until it passes. Dropped steps are marked with the reason. The verdict of what is left.
[[nodiscard]] Result<Verdict> verify_plan(Plan& plan, const FileReader& read, Scratch& scratch,
                                          const std::vector<std::string>& command,
                                          std::int64_t timeout_s, std::stop_token stop = {},
                                          const std::function<void(std::string_view)>& say = {});

}  // namespace ambit::daemon
