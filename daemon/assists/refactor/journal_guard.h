// A process beside an apply. When ours is killed in the midst of it, the guard recovers the journal
// at once: nobody has to start anything for the tree to be whole again.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

namespace ambit::daemon {

class JournalGuard {
 public:
  // Runs `program refactor guard ROOT STATE` in a session of its own. nullopt when that cannot be;
  // the next command then recovers, as without a guard.
  [[nodiscard]] static std::optional<JournalGuard> start(const std::filesystem::path& program,
                                                         const std::filesystem::path& root,
                                                         const std::filesystem::path& state);
  JournalGuard(JournalGuard&& o) noexcept;
  JournalGuard& operator=(JournalGuard&&) = delete;
  // All is well: the guard ends without doing anything. Called while the journal is locked, so that
  // it cannot take an apply of somebody else for ours.
  ~JournalGuard();

 private:
  JournalGuard(pid_t pid, int fd) : pid_(pid), fd_(fd) {}
  pid_t pid_ = -1;
  int fd_ = -1;
};

// The guard's own side: waits on stdin until the other process says that all is well, or is gone.
// 0: nothing had to be done, or it was done.
[[nodiscard]] int guard_journal(const std::filesystem::path& root,
                                const std::filesystem::path& state);

}  // namespace ambit::daemon
