// One repository, shared by all its windows: its index, packer and settings; and the registry that
// finds or makes it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/config.h"
#include "daemon/workspace/memory_keeper.h"
#include "daemon/workspace/watcher.h"
#include "indexer/context/pack.h"
#include "indexer/index.h"

namespace ambit::daemon {

struct WorkspaceStatus {
  std::string root, state, problem;  // state: "waiting", "indexing", "ready", "not indexed"
  std::uint64_t files = 0, definitions = 0;
  // While the first index is built; afterwards 0.
  std::uint64_t files_done = 0, files_total = 0;
  std::string watching;  // "inotify, N folders" or why it polls; "" before the first index
};

// How a workspace gets its index; the server fills it in, tests leave it empty.
struct IndexSupport {
  using OnProgress = std::function<void(const indexer::IndexProgress&)>;
  std::function<Result<std::unique_ptr<indexer::RepoIndex>>(const std::filesystem::path& root,
                                                            OnProgress on_progress)>
      open;
  std::function<std::unique_ptr<indexer::Packer>(const std::filesystem::path& root)> make_packer;
  // The status of a workspace has changed. On the indexing thread, at most ten times a second; may
  // be empty, must not block.
  std::function<void()> on_change;
  // A new snapshot is there, and the packer knows it. On the indexing thread; may be empty.
  std::function<void(const std::filesystem::path& root)> on_prepared;
};

// Any thread.
class Workspace {
 public:
  Workspace(std::filesystem::path root, const Config& base, IndexSupport support);
  ~Workspace();                              // stop(), and waits
  void stop() { indexing_.request_stop(); }  // nothing more is learnt

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  [[nodiscard]] std::string name() const { return root_.filename().string(); }
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  [[nodiscard]] std::shared_ptr<const indexer::Snapshot> snapshot() const;
  [[nodiscard]] std::shared_ptr<indexer::Packer> packer() const;
  [[nodiscard]] WorkspaceStatus status() const;
  // What the repository says; the first call starts reading it. Never null.
  [[nodiscard]] std::shared_ptr<MemoryKeeper> memory();
  [[nodiscard]] std::string_view memory_state() const;  // "off", "reading" or "ready"

  // These paths (absolute) may have changed; indexed in the background, in batches.
  void changed(const std::vector<std::filesystem::path>& paths);
  // Is there an index, or the news that there will be none?
  [[nodiscard]] bool settled() const;
  // Blocks until the first index is there, or cannot be. False when time ran out.
  [[nodiscard]] bool wait_indexed(std::chrono::milliseconds timeout) const;

 private:
  void run(const std::stop_token& stop);
  void told() const {
    if (support_.on_change) support_.on_change();
  }
  void publish(const indexer::RepoIndex& index, const indexer::BuildReport* report,
               const std::stop_token& stop);
  void on_disk_changes(FileChanges changes);
  void watch(const indexer::Snapshot& snapshot);

  const std::filesystem::path root_;
  std::vector<std::string> notes_;
  const Config config_;
  const IndexSupport support_;
  const std::shared_ptr<const indexer::Snapshot> bare_;

  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable_any changed_;
  std::shared_ptr<const indexer::Snapshot> snapshot_;
  std::shared_ptr<indexer::Packer> packer_;
  std::shared_ptr<MemoryKeeper> memory_;
  WorkspaceStatus status_;
  std::vector<std::string> pending_;
  bool everything_pending_ = false;
  bool settled_ = false;

  std::unique_ptr<Watcher> watcher_;  // made and used by the thread below
  std::jthread indexing_;             // last: it uses everything above
};

// Takes workspaces that nobody holds any more and destroys them on a thread of its own: indexing
// has the lowest priority, so on a busy machine its end may be long in coming, and whoever let go
// of a workspace serves others.
class WorkspaceEnds {
 public:
  WorkspaceEnds();
  ~WorkspaceEnds();  // waits for all that were taken
  void take(std::unique_ptr<Workspace> workspace);

 private:
  void run(const std::stop_token& stop);

  std::mutex mutex_;  // guards the deque
  std::condition_variable_any taken_;
  std::deque<std::unique_ptr<Workspace>> ended_;
  std::jthread thread_;  // last: it uses everything above
};

class WorkspaceRegistry {
 public:
  WorkspaceRegistry(Config base, IndexSupport support)
      : base_(std::move(base)), support_(std::move(support)) {}
  // The workspace of the repository that holds `path` (a file or a folder); lives as long as
  // somebody holds it. Null for "/", the home directory and what is no folder.
  [[nodiscard]] std::shared_ptr<Workspace> get(const std::filesystem::path& path);
  [[nodiscard]] std::vector<std::shared_ptr<Workspace>> all() const;

 private:
  const Config base_;
  const IndexSupport support_;
  const std::shared_ptr<WorkspaceEnds> ends_ = std::make_shared<WorkspaceEnds>();
  mutable std::mutex mutex_;
  std::map<std::filesystem::path, std::weak_ptr<Workspace>> workspaces_;
};

// The folder that holds .git above `path`; else the folder itself.
[[nodiscard]] std::filesystem::path repository_root(const std::filesystem::path& path);

}  // namespace ambit::daemon
