// `ambit serve`: the daemon, in this process.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <stop_token>
#include <thread>

#include "daemon/assists/refactor/journal.h"
#include "daemon/cli/daemon_client.h"
#include "daemon/cli/local_daemon.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/net/acceptor.h"
#include "daemon/paths.h"
#include "daemon/support/trace.h"

namespace ambit::daemon {
namespace {

// What still runs when the daemon ends reads repositories at the lowest priority, for which a busy
// machine may have no time for long. What it keeps on disk is whole at any moment, so it is not
// waited for longer than this.
constexpr std::chrono::milliseconds kLastWait(500);

void leave_in_time(const std::stop_token& left) {
  std::mutex mutex;
  std::condition_variable_any ended;
  std::unique_lock lock(mutex);
  ended.wait_for(lock, left, kLastWait, [] { return false; });
  if (!left.stop_requested()) ::_exit(kExitDone);
}

}  // namespace

int serve_command(const Arguments& arguments) {
  Options options("serve", "[--foreground] [--model SPEC] [--idle-exit S]", "Run the daemon.");
  auto& foreground = options.flag("--foreground", "log to the terminal; never leave when idle");
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  auto& idle = options.integer("--idle-exit", -1, -1, 604800, "seconds; 0 stays");
  auto& ready = options.integer("--ready-fd", -1, -1, 1 << 20, "where to say that it listens");
  if (auto done = options.parse(arguments)) return *done;
  // Started by an editor or a command: the daemon outlives it and must not stay its child, or a
  // zombie of it would be left there. No thread runs yet.
  if (ready >= 0 && !foreground && ::fork() > 0) ::_exit(0);
  const auto say = [&](const std::string& line) {
    if (ready < 0) return;
    (void)write_all(static_cast<int>(ready), (line + "\n").c_str(), line.size() + 1);
    ::close(static_cast<int>(ready));
  };
  const auto fail = [&](const Error& error) {
    say(error.message);
    return report(error);
  };
  auto config = Config::load();
  if (!config) return fail(config.error());
  if (!model.empty()) (void)config->set("model", model, "command line");
  auto path = daemon_socket(model);
  if (!path) return fail(path.error());
  open_log(*config);
  sigset_t ends;
  sigemptyset(&ends);
  for (const int s : {SIGINT, SIGTERM}) sigaddset(&ends, s);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // inherited by every thread
  std::signal(SIGPIPE, SIG_IGN);

  // A refactor that was interrupted is finished or taken back before anybody looks.
  for (const auto& line : recover_all(state_directory())) log(LogLevel::kWarning, "refactor", line);

  std::jthread leaving;  // outlives the server
  Server server(server_options(*config));
  auto acceptor = Acceptor::listen(server.runtime(), *path,
                                   [&](FileDescriptor fd) { server.add_client(std::move(fd)); });
  if (!acceptor) return fail(acceptor.error());
  say("ready");
  if (foreground) std::fprintf(stderr, "ambit: serving at %s\n", path->c_str());
  const FileDescriptor signal(::signalfd(-1, &ends, SFD_CLOEXEC)), done(::eventfd(0, EFD_CLOEXEC));
  std::thread signals([&] {
    pollfd fds[2] = {{signal.get(), POLLIN, 0}, {done.get(), POLLIN, 0}};
    while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    server.stop();
  });
  const auto seconds = idle >= 0 ? idle : foreground ? 0 : config->integer("daemon.idle_exit_s");
  server.run(std::chrono::seconds(seconds));
  ::eventfd_write(done.get(), 1);
  signals.join();
  acceptor->reset();
  server.finish();
  leaving = std::jthread(leave_in_time);
  return kExitDone;
}

}  // namespace ambit::daemon
