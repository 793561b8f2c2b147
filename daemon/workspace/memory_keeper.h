// Keeps a workspace's repository memory (inference/memory) in step with its index, on a thread of
// its own. Nothing is read before somebody asks for the first view.
//
// Ignore rules hold (only what the snapshot gives text of), secret files are left out and secrets
// in others are replaced before a byte is remembered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "indexer/index.h"
#include "inference/memory/repository_memory.h"

namespace ambit::daemon {

// Any thread.
class MemoryKeeper {
 public:
  MemoryKeeper();
  ~MemoryKeeper();  // stops reading

  // The repository is now this. near: the path that was asked for last; when there is no room for
  // all files, those close to it come first.
  void follow(std::shared_ptr<const indexer::Snapshot> snapshot);
  void prefer(const std::string& path);

  [[nodiscard]] std::shared_ptr<const inference::MemoryView> view() const { return memory_.view(); }
  // Files of the current snapshot are still to be read.
  [[nodiscard]] bool building() const { return building_; }
  // Blocks until it is not. False when time ran out.
  [[nodiscard]] bool wait_built(std::chrono::milliseconds timeout) const;

 private:
  void run(const std::stop_token& stop);
  void read(const indexer::Snapshot& snapshot, const std::stop_token& stop);

  inference::RepositoryMemory memory_;
  std::atomic<bool> building_{true};
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::shared_ptr<const indexer::Snapshot> wanted_;  // not read yet
  std::string near_;
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace ambit::daemon
