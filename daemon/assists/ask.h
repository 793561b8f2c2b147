// One question to a model that can judge code: the shared pack, the question, the answer as text.
// What an assist makes of the answer is its own business; the answer is hostile input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/assists/assist.h"

namespace ambit::daemon {

struct Question {
  std::string text;     // secrets replaced already; special tokens in it are plain characters
  std::string path;     // what the pack is chosen for, "" for no pack
  std::string draft;    // text that the answer will repeat in long pieces, for look-up speculation
  std::string grammar;  // that the answer must follow, "" for none; a remote model gets none
  std::uint32_t cursor = 0;
  indexer::Task task = indexer::Task::kRefactor;
  std::int64_t pack_tokens = 16'000;
  std::int64_t max_new_tokens = 4096;
  inference::Priority priority = inference::Priority::kCommand;
};

// kUnsupported, with what to do, for models that are too small for more than the next lines.
// `what` begins the sentence: "findings beyond facts".
[[nodiscard]] Result<void> can_judge(const inference::BackendInfo& model, std::string_view what);

// Blocks until the answer is whole; not on a thread of the runtime's io or cpu pools. kUnavailable:
// the model is not ready; kUnsupported: it cannot chat; kResourceExhausted: the question is larger
// than its window.
[[nodiscard]] Result<Generated> ask_model(const AssistContext& context, const Question& question);

// How many tokens of a question fit beside its answer and the pack; 0 without a model.
[[nodiscard]] std::int64_t room_for_question(const AssistContext& context,
                                             std::int64_t max_new_tokens);

// Whether a file's text may stand in a question: no secret file, nothing that ignore rules or the
// packer leave out.
[[nodiscard]] bool may_be_asked_about(const indexer::Snapshot& snapshot, std::string_view path);

}  // namespace ambit::daemon
