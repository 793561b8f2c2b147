#include "daemon/workspace/workspace.h"

#include <algorithm>
#include <set>

#include "daemon/paths.h"
#include "daemon/support/machine.h"
#include "daemon/support/trace.h"
#include "daemon/workspace/bare_snapshot.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {

namespace fs = std::filesystem;

namespace {
// A reference cycle of init order: notes_ is declared before config_, so it may be filled here.
Config merged(const Config& base, const fs::path& root, std::vector<std::string>& notes) {
  return base.with_project(root, notes);
}

// Folders among these names that git does not ignore, and those below: files may come into them.
std::vector<std::string> folders_among(const fs::path& root,
                                       const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 1000;
  std::vector<std::string> out;
  const auto repository = indexer::Repository::open(root);
  if (!repository) return out;
  std::vector<std::string> left = names;
  while (!left.empty() && out.size() < kMost) {
    const auto name = std::move(left.back());
    left.pop_back();
    const auto looked = repository->look(name);
    if (looked || looked.error().code != Code::kInvalidArgument) continue;  // not a folder of ours
    std::error_code error;
    for (fs::directory_iterator it(root / name, error), end; !error && it != end;
         it.increment(error)) {
      std::error_code ignored;
      if (it->is_directory(ignored) && !it->is_symlink(ignored))
        left.push_back(name + "/" + it->path().filename().string());
    }
    out.push_back(name);
  }
  return out;
}
// A whole look at the disk: the first one behind everybody else, since it is waited for, later ones
// in time that nobody else wants. Priorities of a thread cannot be raised again, so it has one of
// its own. Saves are learnt at once, by the caller's.
Result<indexer::BuildReport> update_behind(indexer::RepoIndex& index, bool awaited,
                                           const std::stop_token& stop) {
  Result<indexer::BuildReport> out = make_error(Code::kInternal, "");
  std::jthread([&] {
    awaited ? yield_to_most() : yield_to_all();
    out = index.update(stop);
  }).join();
  return out;
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

std::string_view Workspace::memory_state() const {
  std::lock_guard lock(mutex_);
  if (!memory_) return "off";
  return memory_->building() ? "reading" : "ready";
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

void Workspace::on_disk_changes(FileChanges changes) {
  std::lock_guard lock(mutex_);
  if (changes.everything) everything_pending_ = true;
  pending_.insert(pending_.end(), std::make_move_iterator(changes.paths.begin()),
                  std::make_move_iterator(changes.paths.end()));
  changed_.notify_all();
}

// Every folder with a file of the snapshot below it, and where git keeps HEAD and index.
void Workspace::watch(const indexer::Snapshot& snapshot) {
  if (watcher_ == nullptr) {
    WatcherOptions options;
    options.only_poll = config_.text("watch.mode") == "poll";
    options.poll_every = std::chrono::seconds(config_.integer("watch.poll_s"));
    options.max_folders = static_cast<std::size_t>(config_.integer("watch.max_directories"));
    watcher_ = std::make_unique<Watcher>(
        root_, options, [this](FileChanges changes) { on_disk_changes(std::move(changes)); });
  }
  std::set<std::string> folders{""};
  for (const auto& file : snapshot.files()) {
    for (auto slash = file.path.rfind('/'); slash != std::string::npos && slash != 0;
         slash = file.path.rfind('/', slash - 1)) {
      if (!folders.insert(file.path.substr(0, slash)).second) break;
    }
  }
  std::vector<fs::path> git;
  if (const auto repository = indexer::Repository::open(root_);
      repository && repository->is_git()) {
    git = {repository->git_dir(), repository->git_dir() / "logs"};
  }
  watcher_->follow({folders.begin(), folders.end()}, git);
  const auto problem = watcher_->problem();
  std::lock_guard lock(mutex_);
  status_.watching = problem.empty() ? "inotify, " + std::to_string(folders.size()) + " folders"
                                     : "polling: " + problem;
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
  auto report = update_behind(**index, true, stop);
  if (!report && report.error().code != Code::kCancelled) {
    log(LogLevel::kWarning, "indexing", report.error().message);
    return settle("not indexed", report.error().message);
  }
  // What changed until the watches were there is found by a second look.
  if (config_.text("watch.mode") != "off") {
    watch(*(*index)->snapshot());
    if (auto again = update_behind(**index, true, stop)) report = std::move(again);
  }
  while (!stop.stop_requested()) {
    publish(**index, report ? &*report : nullptr, stop);
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
    bool everything = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [&] { return !pending_.empty() || everything_pending_; });
      batch = std::exchange(pending_, {});
      everything = std::exchange(everything_pending_, false);
      if (!batch.empty() || everything) status_.state = "indexing";
    }
    if (stop.stop_requested() || (batch.empty() && !everything)) continue;
    // A name that is not in the snapshot may be a folder, with files that come into it later.
    const auto known = (*index)->snapshot();
    const bool new_names =
        everything || std::any_of(batch.begin(), batch.end(),
                                  [&](const auto& p) { return !known->file(p).has_value(); });
    if (everything) {
      report = update_behind(**index, false, stop);
      if (!report) log(LogLevel::kWarning, "indexing", report.error().message);
    } else if (auto done = (*index)->update_paths(batch, stop); !done) {
      log(LogLevel::kWarning, "indexing", done.error().message);
    }
    if (watcher_ == nullptr || !new_names || (*index)->snapshot() == known) continue;
    const auto before = watcher_->watched();
    watch(*(*index)->snapshot());
    watcher_->follow(folders_among(root_, batch), {});
    // What came before the watch did is found by another look.
    if (watcher_->watched() > before) report = update_behind(**index, false, stop);
  }
}

// Hands the index's snapshot to everybody, when it is another one.
void Workspace::publish(const indexer::RepoIndex& index, const indexer::BuildReport* report,
                        const std::stop_token& stop) {
  auto fresh = index.snapshot();
  std::shared_ptr<indexer::Packer> packer;
  {
    std::lock_guard lock(mutex_);
    if (report != nullptr) {
      status_.files = report->files;
      status_.definitions = report->definitions;
    }
    if (snapshot_ == fresh) return;
    snapshot_ = fresh;
    packer = packer_;
    if (memory_) memory_->follow(fresh);
  }
  if (packer) packer->prepare(fresh, stop);
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

WorkspaceEnds::WorkspaceEnds() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

WorkspaceEnds::~WorkspaceEnds() = default;

void WorkspaceEnds::take(std::unique_ptr<Workspace> workspace) {
  workspace->stop();
  std::lock_guard lock(mutex_);
  ended_.push_back(std::move(workspace));
  taken_.notify_one();
}

void WorkspaceEnds::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (taken_.wait(lock, stop, [this] { return !ended_.empty(); })) {
    auto workspace = std::move(ended_.front());
    ended_.pop_front();
    lock.unlock();
    workspace.reset();
    lock.lock();
  }
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
  if (!found) {
    slot =
        found = {std::make_unique<Workspace>(root, base_, support_).release(),
                 [ends = ends_](Workspace* last) { ends->take(std::unique_ptr<Workspace>(last)); }};
  }
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
