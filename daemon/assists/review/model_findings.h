// The model's part of a review: the words that it is asked with, and the strict reading of what it
// answers. The answer is hostile input: a finding that does not quote a line of the change word for
// word is dropped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/assist.h"
#include "daemon/assists/review/change.h"
#include "daemon/assists/review/finding.h"

namespace ambit::daemon::review {

struct ModelLimits {
  double confidence_floor = 0.6;
  std::size_t per_100_lines = 5;  // findings for each 100 added lines, at least one in all
  std::size_t max_answer_bytes = std::size_t{256} << 10;
  std::int64_t max_new_tokens = 4096;
  std::int64_t pack_tokens = 16000;
};

// Reads {"findings": [{path, line, end_line?, quote, message, why?, confidence}]}: lines count from
// 1. Kept are findings whose lines exist and are touched by the change, whose quote stands there,
// at or above the floor, away from what `facts` say already; the surest first until the limit is
// reached. Never above a warning: a guess does not stop a commit by default.
struct ModelAnswer {
  std::vector<Finding> findings;
  std::size_t dropped = 0;
  std::string problem;  // why nothing could be read, for people
};
[[nodiscard]] ModelAnswer read_model_findings(std::string_view answer, const ChangeSet& change,
                                              const std::vector<Finding>& facts,
                                              const ModelLimits& limits = {});

// The question behind the shared pack: the diff, and who uses what it changes. Files that ignore
// rules keep out of prompts are named without content; secrets are replaced.
[[nodiscard]] std::string review_question(const ChangeSet& change, const indexer::Snapshot& after,
                                          const indexer::Snapshot& worktree);

// kUnsupported with one line when the model is too small for it (ambit-nano).
[[nodiscard]] Result<void> can_review(const inference::BackendInfo& model);

// Asks and reads. context.snapshot: of the work tree. Not on a thread of the runtime.
[[nodiscard]] Result<ModelAnswer> review_by_model(const AssistContext& context,
                                                  const ChangeSet& change,
                                                  const indexer::Snapshot& after,
                                                  const std::vector<Finding>& facts,
                                                  inference::Priority priority,
                                                  const ModelLimits& limits = {});

}  // namespace ambit::daemon::review
