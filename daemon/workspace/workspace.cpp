#include "daemon/workspace/workspace.h"

#include <algorithm>

#include "daemon/paths.h"
#include "daemon/support/trace.h"
#include "daemon/workspace/bare_snapshot.h"

namespace ambit::daemon {

namespace fs = std::filesystem;

namespace {
// A reference cycle of init order: notes_ is declared before config_, so it may be filled here.
Config merged(const Config& base, const fs::path& root, std::vector<std::string>& notes) {
  return base.with_project(root, notes);
}
}  // namespace

Workspace::Workspace(fs::path root, const Config& base, IndexSupport support)
    : root_(std::move(root)),
      config_(merged(base, root_, notes_)),
      support_(std::move(support)),
      bare_(bare_snapshot()) {
  status_.root = root_.string();
  status_.state = "waiting";
  if (support_.make_packer) packer_ = support_.make_packer(root_);
  if (!support_.open || !config_.flag("index.enabled")) {
    status_.state = "not indexed";
    settled_ = true;
    return;
  }
  indexing_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Workspace::~Workspace() = default;

std::shared_ptr<const indexer::Snapshot> Workspace::snapshot() const {
  std::lock_guard lock(mutex_);
  return snapshot_ ? snapshot_ : bare_;
}

std::shared_ptr<indexer::Packer> Workspace::packer() const {
  std::lock_guard lock(mutex_);
  return packer_;
}

std::shared_ptr<MemoryKeeper> Workspace::memory() {
  std::lock_guard lock(mutex_);
  if (!memory_) {
    memory_ = std::make_shared<MemoryKeeper>();
    // Without an index there is nothing to read; saying so ends the wait for it.
    if (snapshot_ || settled_) memory_->follow(snapshot_ ? snapshot_ : bare_);
  }
  return memory_;
}

WorkspaceStatus Workspace::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void Workspace::changed(const std::vector<fs::path>& paths) {
  std::lock_guard lock(mutex_);
  for (const auto& path : paths) {
    const auto relative = path.lexically_relative(root_).string();
    if (relative.empty() || relative.starts_with("..") || relative.starts_with(".git/")) continue;
    if (std::find(pending_.begin(), pending_.end(), relative) == pending_.end()) {
      pending_.push_back(relative);
    }
  }
  changed_.notify_all();
}

bool Workspace::settled() const {
  std::lock_guard lock(mutex_);
  return settled_;
}

bool Workspace::wait_indexed(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return settled_; });
}

void Workspace::run(const std::stop_token& stop) {
  const auto settle = [&](std::string state, std::string problem) {
    {
      std::lock_guard lock(mutex_);
      status_.state = std::move(state);
      status_.problem = std::move(problem);
      status_.files_done = status_.files_total = 0;
      settled_ = true;
      if (memory_ && !snapshot_) memory_->follow(bare_);
      changed_.notify_all();
    }
    told();
  };
  {
    std::lock_guard lock(mutex_);
    status_.state = "indexing";
  }
  told();
  auto index = support_.open(root_, [this](const indexer::IndexProgress& progress) {
    {
      std::lock_guard lock(mutex_);
      if (settled_) return;
      status_.files_done = progress.files_done;
      status_.files_total = progress.files_total;
    }
    told();
  });
  if (!index) return settle("not indexed", index.error().message);
  auto report = (*index)->update(stop);
  if (!report && report.error().code != Code::kCancelled) {
    log(LogLevel::kWarning, "indexing", report.error().message);
    return settle("not indexed", report.error().message);
  }
  while (!stop.stop_requested()) {
    auto fresh = (*index)->snapshot();
    std::shared_ptr<indexer::Packer> packer;
    {
      std::lock_guard lock(mutex_);
      snapshot_ = fresh;
      packer = packer_;
      if (memory_) memory_->follow(fresh);
      if (report) {
        status_.files = report->files;
        status_.definitions = report->definitions;
      }
    }
    if (packer) packer->prepare(fresh, stop);
    settle("ready", "");
    if (support_.on_prepared) support_.on_prepared(root_);
    // Answers do not wait for the commits.
    if (auto read = (*index)->update_history(stop); read) {
      std::lock_guard lock(mutex_);
      snapshot_ = (*index)->snapshot();
    } else if (read.error().code != Code::kCancelled) {
      log(LogLevel::kWarning, "indexing", read.error().message);
    }
    std::vector<std::string> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [&] { return !pending_.empty(); });
      batch = std::exchange(pending_, {});
      if (!batch.empty()) status_.state = "indexing";
    }
    if (stop.stop_requested() || batch.empty()) continue;
    if (auto done = (*index)->update_paths(batch, stop); !done) {
      log(LogLevel::kWarning, "indexing", done.error().message);
    }
  }
}

fs::path repository_root(const fs::path& path) {
  std::error_code error;
  fs::path start = fs::weakly_canonical(path, error);
  if (error) start = path;
  if (!fs::is_directory(start, error)) start = start.parent_path();
  for (fs::path at = start; !at.empty(); at = at.parent_path()) {
    if (fs::exists(at / ".git", error)) return at;
    if (at == at.parent_path()) break;
  }
  return start;
}

std::shared_ptr<Workspace> WorkspaceRegistry::get(const fs::path& path) {
  const fs::path root = repository_root(path);
  std::error_code error;
  if (!fs::is_directory(root, error) || root == root.root_path() || root == home_directory()) {
    return nullptr;
  }
  std::lock_guard lock(mutex_);
  auto& slot = workspaces_[root];
  auto found = slot.lock();
  if (!found) slot = found = std::make_shared<Workspace>(root, base_, support_);
  return found;
}

std::vector<std::shared_ptr<Workspace>> WorkspaceRegistry::all() const {
  std::vector<std::shared_ptr<Workspace>> out;
  std::lock_guard lock(mutex_);
  for (const auto& [root, weak] : workspaces_) {
    if (auto workspace = weak.lock()) out.push_back(std::move(workspace));
  }
  return out;
}

}  // namespace ambit::daemon
