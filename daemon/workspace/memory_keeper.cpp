#include "daemon/workspace/memory_keeper.h"

#include <sys/resource.h>

#include <algorithm>
#include <set>

#include "indexer/filter.h"
#include "indexer/secrets.h"

namespace ambit::daemon {

namespace {

// Answers get better while a large repository is read: after so many lexemes there is a new view.
constexpr std::size_t kFirstCommit = 200000;
constexpr std::uint64_t kLargestFile = 1U << 20U;  // larger ones are data

// Folders that two paths have in common.
std::size_t common_folders(std::string_view a, std::string_view b) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()) && a[i] == b[i]; ++i) {
    if (a[i] == '/') ++n;
  }
  return n;
}

std::string stamp_of(const indexer::FileInfo& file) {
  return file.blob.hex() + " " + std::to_string(file.bytes);
}

}  // namespace

MemoryKeeper::MemoryKeeper() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

MemoryKeeper::~MemoryKeeper() = default;

void MemoryKeeper::follow(std::shared_ptr<const indexer::Snapshot> snapshot) {
  std::lock_guard lock(mutex_);
  wanted_ = std::move(snapshot);
  building_ = true;
  changed_.notify_all();
}

void MemoryKeeper::prefer(const std::string& path) {
  std::lock_guard lock(mutex_);
  near_ = path;
}

bool MemoryKeeper::wait_built(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return !building_; });
}

void MemoryKeeper::run(const std::stop_token& stop) {
  // Of this thread only: on Linux the priority belongs to the thread that asks.
  (void)::setpriority(PRIO_PROCESS, 0, 10);
  while (!stop.stop_requested()) {
    std::shared_ptr<const indexer::Snapshot> snapshot;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [&] { return wanted_ != nullptr; });
      snapshot = std::exchange(wanted_, nullptr);
    }
    if (!snapshot) continue;
    read(*snapshot, stop);
    std::lock_guard lock(mutex_);
    building_ = wanted_ != nullptr;
    changed_.notify_all();
  }
}

void MemoryKeeper::read(const indexer::Snapshot& snapshot, const std::stop_token& stop) {
  std::vector<indexer::FileInfo> files = snapshot.files();
  std::erase_if(files, [](const auto& file) {
    return !file.skipped.empty() || file.bytes > kLargestFile ||
           !indexer::is_packable(indexer::classify_path(file.path)) ||
           indexer::is_secret_path(file.path);
  });
  std::set<std::string_view> present;
  for (const auto& file : files) present.insert(file.path);
  for (const auto& path : memory_.paths()) {
    if (!present.contains(path)) memory_.remove(path);
  }
  std::string near;
  {
    std::lock_guard lock(mutex_);
    near = near_;
  }
  std::stable_sort(files.begin(), files.end(), [&](const auto& a, const auto& b) {
    return common_folders(a.path, near) > common_folders(b.path, near);
  });
  std::size_t commit_at = kFirstCommit;
  for (const auto& file : files) {
    if (stop.stop_requested()) return;
    const auto stamp = stamp_of(file);
    if (memory_.stamp_of(file.path) == stamp) continue;
    const auto text = snapshot.text(file.path);
    if (!text) {
      memory_.remove(file.path);
      continue;
    }
    memory_.replace(file.path, stamp, indexer::redact_secrets(*text));
    if (memory_.pending() >= commit_at) {
      memory_.commit();
      commit_at *= 4;
    }
  }
  memory_.commit();
}

}  // namespace ambit::daemon
