// Changes below a folder, from inotify: batches of paths, on a thread of its own that sleeps until
// something happens. One watch per folder that holds files of the index, so build trees and
// node_modules cost none. When the system gives no more watches, or there are more folders than the
// budget, it says so and wakes up on a timer instead.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ambit::daemon {

struct FileChanges {
  std::vector<std::string> paths;  // relative to the root, each once
  // Anything may have changed: another HEAD or git index, lost events, a tick of the timer.
  bool everything = false;
};

struct WatcherOptions {
  bool only_poll = false;
  std::size_t max_folders = 20'000;              // at most half of what the system allows
  std::chrono::milliseconds poll_every{10'000};  // when there is no inotify
  std::chrono::milliseconds settle{5};           // a batch ends when so long nothing came
};

// Thread-safe.
class Watcher {
 public:
  // `on_changes` is called on the watcher's thread and has to return soon.
  Watcher(std::filesystem::path root, WatcherOptions options,
          std::function<void(FileChanges)> on_changes);
  ~Watcher();  // no call comes after it

  // These folders (relative to the root, "" is the root itself) and these folders of git (absolute;
  // only HEAD and index count there). New ones are added, others stay.
  void follow(const std::vector<std::string>& folders,
              const std::vector<std::filesystem::path>& git_folders);
  // "" while inotify serves; else why it polls, for people.
  [[nodiscard]] std::string problem() const;
  [[nodiscard]] std::size_t watched() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ambit::daemon
