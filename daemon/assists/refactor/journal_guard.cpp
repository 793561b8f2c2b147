#include "daemon/assists/refactor/journal_guard.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "daemon/assists/refactor/journal.h"

namespace ambit::daemon {

std::optional<JournalGuard> JournalGuard::start(const std::filesystem::path& program,
                                                const std::filesystem::path& root,
                                                const std::filesystem::path& state) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  std::array<std::string, 5> words{program.string(), "refactor", "guard", root.string(),
                                   state.string()};
  std::array<char*, 6> argv{};
  for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // What ends our process group does not reach it.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[0]);
  if (error != 0) {
    ::close(ends[1]);
    return std::nullopt;
  }
  return JournalGuard(pid, ends[1]);
}

JournalGuard::JournalGuard(JournalGuard&& o) noexcept
    : pid_(std::exchange(o.pid_, -1)), fd_(std::exchange(o.fd_, -1)) {}

JournalGuard::~JournalGuard() {
  if (fd_ < 0) return;
  // One that is gone already must not end us with SIGPIPE.
  sigset_t pipe, before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const bool told = ::write(fd_, "k", 1) == 1;
  if (!told) {
    const timespec none{};
    ::sigtimedwait(&pipe, nullptr, &none);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(fd_);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

int guard_journal(const std::filesystem::path& root, const std::filesystem::path& state) {
  for (const int s : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) std::signal(s, SIG_IGN);
  char byte = 0;
  ssize_t n = 0;
  while ((n = ::read(0, &byte, 1)) < 0 && errno == EINTR) {
  }
  if (n == 1) return 0;
  auto journal = Journal::open(root, state);
  return journal && journal->recover() ? 0 : 5;
}

}  // namespace ambit::daemon
