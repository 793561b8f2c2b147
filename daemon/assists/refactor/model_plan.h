// Plans that need judgement: the model proposes steps over the files that the index found for the
// instruction. Each step is checked alone, in order; one that cannot be carried out goes back to
// the model once with the reason, and is dropped (and stays in the plan, with the reason) when it
// still cannot. Steps that the index can do exactly are handed to it.
#pragma once

#include <string>
#include <vector>

#include "daemon/assists/assist.h"
#include "daemon/assists/refactor/edit_format.h"
#include "daemon/assists/refactor/refactor.h"

namespace ambit::daemon {

// A file that the model may change, and what of it is shown.
struct OfferedFile {
  std::string path, text;
  bool excerpt = false;  // only the lines around what the instruction names
};

// What the index finds for the words of an instruction: named paths, the file at hand, then files
// that define or use the symbols named. At most `max_bytes` of text; files that ignore rules or
// secrets keep out of prompts are left out.
[[nodiscard]] std::vector<OfferedFile> offered_files(const indexer::Snapshot& snapshot,
                                                     const RefactorRequest& request,
                                                     const std::vector<std::string>& open_files,
                                                     std::size_t max_bytes);

// A step of the model as a step of the plan. kInvalidArgument when it names a file that was not
// offered, quotes lines that do not stand there exactly once, or creates what exists or hides.
[[nodiscard]] Result<std::vector<PlanStep>> checked_step(const indexer::Snapshot& snapshot,
                                                         const RefactorRequest& request,
                                                         const ModelStep& step,
                                                         const std::vector<OfferedFile>& offered,
                                                         std::vector<std::string>& notes,
                                                         std::stop_token stop = {});

// Blocks while the model writes. context.snapshot is what the plan is made for. kUnavailable or
// kUnsupported: no model that can; kNotFound: the index finds nothing for these words;
// kInvalidArgument: nothing that the model proposed can be carried out.
[[nodiscard]] Result<Plan> plan_by_model(const AssistContext& context,
                                         const RefactorRequest& request);

}  // namespace ambit::daemon
