// What people have decided about findings: comments in the source, a baseline that is committed,
// dismissals that stay on this machine.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/review/change.h"
#include "daemon/assists/review/finding.h"
#include "daemon/support/result.h"

namespace ambit::daemon::review {

// `ambit:ignore RULE[,RULE…] reason` in a comment, on the line of the finding or alone on the line
// before it; RULE may be `all`. Without a reason it does not count: the next reader wants to know.
[[nodiscard]] bool suppressed_in_source(std::string_view text, const Finding& finding);

// A set of fingerprints in a file: sorted, one finding a line, so that merges and diffs stay small:
//   {"version": 1, "findings": [
//   {"fingerprint": "…", "rule": "…", "path": "…"}
//   ]}
class Baseline {
 public:
  // A file that does not exist is an empty baseline; kCorrupt when it is not one of ours.
  [[nodiscard]] static Result<Baseline> load(const std::filesystem::path& file);
  [[nodiscard]] Result<void> save(const std::filesystem::path& file) const;
  [[nodiscard]] bool contains(const Finding& finding) const {
    return fingerprints_.contains(finding.fingerprint);
  }
  // Adds what is new; true when anything was.
  bool add(const std::vector<Finding>& findings);
  bool remove(const std::string& fingerprint);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string fingerprint, rule, path;
    auto operator<=>(const Entry&) const = default;
  };
  std::set<Entry> entries_;
  std::set<std::string> fingerprints_;
};

// Where dismissals of one repository are remembered: below $XDG_STATE_HOME/ambit/review.
[[nodiscard]] std::filesystem::path dismissals_file(const std::filesystem::path& root);

struct Sifted {
  std::size_t in_source = 0, in_baseline = 0, dismissed = 0;
  [[nodiscard]] std::size_t total() const { return in_source + in_baseline + dismissed; }
};
// Removes the findings that were decided about.
Sifted sift(std::vector<Finding>& findings, const ChangeSet& change, const Baseline& baseline,
            const Baseline& dismissals);

}  // namespace ambit::daemon::review
