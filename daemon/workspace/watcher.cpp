#include "daemon/workspace/watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "daemon/support/trace.h"

namespace ambit::daemon {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE |
                                  IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK;
constexpr milliseconds kLongestBatch{100};
constexpr milliseconds kLongestLock{2000};  // git holds index.lock while it changes many files

// Half of what the system gives, since editors want some as well.
std::size_t system_budget() {
  std::size_t most = 0;
  if (!(std::ifstream("/proc/sys/fs/inotify/max_user_watches") >> most)) return 0;
  return most / 2;
}

}  // namespace

struct Watcher::State {
  fs::path root;
  WatcherOptions options;
  std::function<void(FileChanges)> on_changes;
  int events = -1, wake = -1;

  mutable std::mutex mutex;  // guards what follows
  struct Folder {
    std::string path;  // relative to the root
    bool git = false;
  };
  std::unordered_map<int, Folder> folders;
  std::map<std::string, int> known;  // path, or absolute path of git's -> watch
  std::string problem;

  std::jthread thread;

  void give_up(std::string why) {  // with the mutex
    if (!problem.empty()) return;
    problem = std::move(why);
    log(LogLevel::kWarning, "watcher", root.string() + ": " + problem);
    for (const auto& [watch, folder] : folders) inotify_rm_watch(events, watch);
    folders.clear();
    known.clear();
    const std::uint64_t one = 1;
    (void)!write(wake, &one, sizeof one);
  }

  void add(const std::string& key, const fs::path& full, Folder folder) {  // with the mutex
    if (!problem.empty() || known.contains(key)) return;
    if (known.size() >= options.max_folders) {
      give_up("more than " + std::to_string(options.max_folders) +
              " folders (half of fs.inotify.max_user_watches at most)");
      return;
    }
    const int watch = inotify_add_watch(events, full.c_str(), kEvents);
    if (watch >= 0) {
      folders[watch] = std::move(folder);
      known[key] = watch;
    } else if (errno == ENOSPC) {
      give_up("no inotify watches left (fs.inotify.max_user_watches)");
    } else if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
      give_up(std::string("inotify: ") + std::strerror(errno));
    }
  }

  // One event's share in the batch. True when it matters.
  bool note(const inotify_event& e, std::string_view name, FileChanges& out, bool& locked) {
    if ((e.mask & IN_Q_OVERFLOW) != 0) return out.everything = true;
    std::lock_guard lock(mutex);
    const auto it = folders.find(e.wd);
    if (it == folders.end()) return false;
    if ((e.mask & IN_IGNORED) != 0) {  // the folder is gone
      std::erase_if(known, [&](const auto& k) { return k.second == e.wd; });
      folders.erase(it);
      return false;
    }
    if (it->second.git) {
      if (name == "index.lock") {
        locked = (e.mask & (IN_CREATE | IN_MOVED_TO)) != 0 ||
                 (locked && (e.mask & (IN_DELETE | IN_MOVED_FROM)) == 0);
        return false;
      }
      if (name != "HEAD" && name != "index") return false;
      return out.everything = true;
    }
    // A file that appears is worth a look when it is written and closed, or a link.
    if (name.empty() || name == ".git") return false;
    const auto& folder = it->second.path;
    out.paths.push_back(folder.empty() ? std::string(name) : folder + "/" + std::string(name));
    return true;
  }

  // Reads what is there. True when something of it matters.
  bool drain(FileChanges& out, bool& locked) {
    alignas(inotify_event) char buffer[64 * 1024];
    bool any = false;
    for (;;) {
      const auto n = read(events, buffer, sizeof buffer);
      if (n <= 0) return any;
      for (auto at = std::ptrdiff_t{0}; at < n;) {
        inotify_event e;
        std::memcpy(&e, buffer + at, sizeof e);
        const char* name = buffer + at + sizeof e;
        any |=
            note(e, e.len == 0 ? std::string_view{} : std::string_view(name, strnlen(name, e.len)),
                 out, locked);
        at += static_cast<std::ptrdiff_t>(sizeof e + e.len);
      }
    }
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      bool polling;
      {
        std::lock_guard lock(mutex);
        polling = !problem.empty();
      }
      pollfd wait[2] = {{events, POLLIN, 0}, {wake, POLLIN, 0}};
      const int ready = poll(wait, 2, polling ? static_cast<int>(options.poll_every.count()) : -1);
      if (stop.stop_requested()) return;
      FileChanges changes;
      if (ready == 0) {
        changes.everything = true;
        on_changes(std::move(changes));
        continue;
      }
      if ((wait[1].revents & POLLIN) != 0) {
        std::uint64_t count = 0;
        (void)!read(wake, &count, sizeof count);
      }
      collect(changes, stop);
      if (stop.stop_requested()) return;
      std::sort(changes.paths.begin(), changes.paths.end());
      changes.paths.erase(std::unique(changes.paths.begin(), changes.paths.end()),
                          changes.paths.end());
      if (changes.everything || !changes.paths.empty()) on_changes(std::move(changes));
    }
  }

  // Until nothing comes for a while; while git changes the work tree, until it is done.
  void collect(FileChanges& changes, const std::stop_token& stop) {
    bool locked = false;
    const auto began = steady_clock::now();
    drain(changes, locked);
    while (!stop.stop_requested()) {
      const auto spent = steady_clock::now() - began;
      if (spent > (locked ? kLongestLock : kLongestBatch)) return;
      pollfd more{events, POLLIN, 0};
      const auto settle = locked ? milliseconds(50) : options.settle;
      if (!locked && changes.paths.empty() && !changes.everything) return;
      if (poll(&more, 1, static_cast<int>(settle.count())) == 0) {
        if (!locked) return;
        continue;
      }
      drain(changes, locked);
    }
  }
};

Watcher::Watcher(fs::path root, WatcherOptions options, std::function<void(FileChanges)> on_changes)
    : state_(std::make_unique<State>()) {
  auto& s = *state_;
  s.root = std::move(root);
  s.options = options;
  s.options.max_folders = std::min(options.max_folders, system_budget());
  s.on_changes = std::move(on_changes);
  s.events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  s.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (s.events < 0) {
    std::lock_guard lock(s.mutex);
    s.give_up(std::string("inotify: ") + std::strerror(errno));
  } else if (options.only_poll) {
    std::lock_guard lock(s.mutex);
    s.give_up("watch.mode is poll");
  }
  s.thread = std::jthread([&s](const std::stop_token& stop) { s.run(stop); });
}

Watcher::~Watcher() {
  state_->thread.request_stop();
  const std::uint64_t one = 1;
  (void)!write(state_->wake, &one, sizeof one);
  state_->thread = {};
  if (state_->events >= 0) close(state_->events);
  close(state_->wake);
}

void Watcher::follow(const std::vector<std::string>& folders,
                     const std::vector<fs::path>& git_folders) {
  auto& s = *state_;
  std::lock_guard lock(s.mutex);
  for (const auto& f : git_folders) s.add(f.string(), f, {{}, true});
  for (const auto& f : folders) s.add(f, f.empty() ? s.root : s.root / f, {f, false});
}

std::string Watcher::problem() const {
  std::lock_guard lock(state_->mutex);
  return state_->problem;
}

std::size_t Watcher::watched() const {
  std::lock_guard lock(state_->mutex);
  return state_->folders.size();
}

}  // namespace ambit::daemon
