// `ambit stop`: returns when the daemon has really ended, its engine too.
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "daemon/cli/daemon_client.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"

namespace ambit::daemon {

namespace {

using Clock = std::chrono::steady_clock;

// Waits until nothing is asked of the model. There is no event for it, so the daemon is asked.
Result<void> drain(int fd, Clock::time_point until) {
  while (true) {
    AMBIT_TRY(status, ask_daemon(fd, "ambit/status", nullptr));
    const auto queue = status.value("queue", nlohmann::json::array());
    if (queue.empty()) return {};
    if (Clock::now() >= until) {
      return make_error(Code::kTimeout, "the daemon still works on " +
                                            std::to_string(queue.size()) +
                                            " requests; it was not stopped");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// A handle on the process at the other end; it listened itself, so it is the daemon.
FileDescriptor process_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  return FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
}

}  // namespace

int stop_command(const Arguments& arguments) {
  Options options("stop", "[--drain] [--timeout S]",
                  "Stop the daemon, and return when it has ended. Editors that are connected start "
                  "it again when they next need it.");
  auto& drains = options.flag("--drain", "let what runs come to its end first");
  auto& seconds = options.integer("--timeout", 60, 1, 86400, "how long to wait, in seconds");
  auto& model = options.text("--model", "", "SPEC", "of the daemon with this model");
  if (auto done = options.parse(arguments)) return *done;
  const auto until = Clock::now() + std::chrono::seconds(seconds);
  auto path = daemon_socket(model);
  if (!path) return report(path.error());
  auto fd = connect_local(*path);
  if (!fd) {
    if (fd.error().code != Code::kUnavailable) return report(fd.error());
    std::fprintf(stderr, "ambit: no daemon runs\n");
    return kExitDone;
  }
  const auto process = process_of(fd->get());
  if (drains) {
    if (auto drained = drain(fd->get(), until); !drained) return report(drained.error());
  }
  // It may be gone before its answer is read; what counts is the process.
  auto reply = ask_daemon(fd->get(), "ambit/stop", nullptr);
  if (!reply && !process) return report(reply.error());
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  pollfd ended{process ? process.get() : fd->get(), POLLIN, 0};
  if (::poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(left, 1))) <= 0) {
    return report(make_error(Code::kTimeout, "the daemon has not ended yet; it was told to"));
  }
  return kExitDone;
}

}  // namespace ambit::daemon
