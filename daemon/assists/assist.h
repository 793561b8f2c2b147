// What every assist receives. An assist sees no protocol type: handlers convert.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/assists/token_cache.h"
#include "daemon/config.h"
#include "daemon/scheduling/scheduler.h"
#include "indexer/context/pack.h"
#include "indexer/index.h"
#include "inference/memory/repository_memory.h"

namespace ambit::daemon {

class WarmPrefix;

// The world as one request sees it. Everything in it is immutable or thread-safe, so an assist may
// run on any thread and outlive the session that asked.
struct AssistContext {
  std::shared_ptr<const indexer::Snapshot> snapshot;  // with the session's unsaved text; never null
  std::shared_ptr<const indexer::Snapshot> saved;     // as it is on disk; null in single-file mode
  std::shared_ptr<indexer::Packer> packer;            // may be null: no context is packed
  // May be null: no repository. building: not all of it has been read yet.
  std::shared_ptr<const inference::MemoryView> memory;
  bool memory_building = false;
  std::shared_ptr<Scheduler> scheduler;  // never null
  std::shared_ptr<TokenCache> tokens;    // never null
  // What the model has read of this repository already; null: nobody sees to that, a completion
  // waits for the whole pack to be read.
  std::shared_ptr<WarmPrefix> warm;
  Config config;
  std::filesystem::path root;           // of the repository; empty in single-file mode
  std::string repository;               // its name, for prompts
  std::vector<std::string> open_files;  // relative paths, most recently used first
  std::uint64_t stream = 0;             // of the packer: the window's document
  std::string owner;                    // "session 3": for the queue that status shows
  std::stop_token stop;
  // For progress in the editor; may be empty. percentage below 0: unknown.
  std::function<void(int percentage, std::string message)> progress;
};

// Runs one generation and waits for its end; not on a thread of the runtime's io or cpu pools. The
// text is decoded without special tokens. kCancelled, kTimeout or what the backend said.
struct Generated {
  std::string text;
  inference::Finish finish = inference::Finish::kStop;
  inference::Usage usage;
};
[[nodiscard]] Result<Generated> generate(const AssistContext& context,
                                         inference::GenerateRequest request,
                                         std::function<void(std::string_view)> on_text = {});

}  // namespace ambit::daemon
