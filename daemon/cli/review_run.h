// One review from the shell or a hook, from its inputs to its exit code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/config.h"

namespace ambit::daemon {

struct ReviewRequest {
  enum class What { kStaged, kWorktree, kRange, kPatch };
  What what = What::kStaged;
  std::string range;       // kRange
  std::string patch_file;  // kPatch; "-" is stdin
  std::vector<std::string> paths;
  std::string format = "text";
  std::string sarif_profile = "github";
  std::string fail_level;  // "": what the settings say
  std::string baseline;    // "": .ambit-baseline.json at the root, when it is there
  bool update_baseline = false;
  bool advisory = false;       // findings, a late answer, a missing model: the exit code stays 0
  bool in_hook = false;        // as advisory, but findings do count
  std::int64_t timeout_s = 0;  // 0: what the settings say
  std::string model;           // "": what the settings say
  bool no_model = false;
  std::vector<std::string> dismiss;  // fingerprints to remember
};

// Prints the report on stdout, notes on stderr where the format has no place for them.
[[nodiscard]] int run_review(const ReviewRequest& request);

}  // namespace ambit::daemon
