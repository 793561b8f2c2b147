// `ambit serve`: the daemon, in this process.
#include <unistd.h>

#include <csignal>
#include <thread>

#include "daemon/cli/daemon_client.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/net/acceptor.h"
#include "daemon/paths.h"
#include "daemon/server.h"
#include "daemon/support/file.h"
#include "daemon/support/trace.h"

namespace ambit::daemon {

int serve_command(const Arguments& arguments) {
  Options options("serve", "[--foreground] [--model SPEC] [--idle-exit S]", "Run the daemon.");
  auto& foreground = options.flag("--foreground", "log to the terminal; never leave when idle");
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  auto& idle = options.integer("--idle-exit", -1, -1, 604800, "seconds; 0 stays");
  auto& ready = options.integer("--ready-fd", -1, -1, 1 << 20, "where to say that it listens");
  if (auto done = options.parse(arguments)) return *done;
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
  if (config->flag("log.file")) {
    const auto folder = state_directory() / "log";
    if (file_system().make_private_directory(folder)) set_log_file(folder / "daemon.log");
  }
  sigset_t ends;
  sigemptyset(&ends);
  for (const int s : {SIGINT, SIGTERM}) sigaddset(&ends, s);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // inherited by every thread
  std::signal(SIGPIPE, SIG_IGN);

  IndexSupport index;
  index.open = [threads = config->integer("index.threads"),
                max_bytes = config->integer("index.max_file_bytes")](const auto& root) {
    indexer::IndexOptions wanted;
    wanted.cache_directory = cache_directory() / "index";
    wanted.threads = threads > 0 ? static_cast<unsigned>(threads)
                                 : std::max(1U, std::thread::hardware_concurrency() / 2);
    wanted.max_file_bytes = static_cast<std::uint64_t>(max_bytes);
    return indexer::RepoIndex::open(root, wanted);
  };
  index.make_packer = [](const std::string& repository) {
    indexer::PackerOptions wanted;
    wanted.repository = repository;
    return indexer::make_packer(wanted);
  };
  Server server({*config, std::move(index)});
  auto acceptor = Acceptor::listen(server.runtime(), *path,
                                   [&](FileDescriptor fd) { server.add_client(std::move(fd)); });
  if (!acceptor) return fail(acceptor.error());
  say("ready");
  if (foreground) std::fprintf(stderr, "ambit: serving at %s\n", path->c_str());
  std::jthread signals([&](const std::stop_token& stop) {
    const timespec pause{0, 200000000};
    while (!stop.stop_requested()) {
      if (::sigtimedwait(&ends, nullptr, &pause) > 0) return server.stop();
    }
  });
  const auto seconds = idle >= 0 ? idle : foreground ? 0 : config->integer("daemon.idle_exit_s");
  server.run(std::chrono::seconds(seconds));
  signals.request_stop();
  acceptor->reset();
  return kExitDone;
}

}  // namespace ambit::daemon
