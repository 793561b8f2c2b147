// `ambit lsp`: what editors start. The work is in forward/.
#include <unistd.h>

#include <csignal>

#include "daemon/cli/daemon_client.h"
#include "daemon/cli/local_daemon.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/forward/forwarder.h"

namespace ambit::daemon {

int lsp_command(const Arguments& arguments) {
  Options options("lsp", "[--stdio|--pipe PATH|--socket PORT] [--remote auto|off|PATH]",
                  "The language server.");
  auto& stdio = options.flag("--stdio", "speak on stdin and stdout (the default)");
  auto& pipe = options.text("--pipe", "", "PATH", "connect to this unix socket of the editor");
  auto& port = options.integer("--socket", 0, 1, 65535,
                               "connect to this port of the editor, "
                               "on this machine");
  auto& remote = options.text("--remote", "auto", "auto|off|PATH",
                              "share the daemon, use none, or the one that listens at PATH");
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  auto& editor = options.integer("--clientProcessId", 0, 0, 1 << 22,
                                 "the editor, whose end is ours; initialize says it too");
  if (auto done = options.parse(arguments)) return *done;
  if ((stdio ? 1 : 0) + (pipe.empty() ? 0 : 1) + (options.given("--socket") ? 1 : 0) > 1) {
    return options.usage_error("give one of --stdio, --pipe and --socket");
  }
  if (remote.empty()) return options.usage_error("--remote needs auto, off or a path");
  std::signal(SIGPIPE, SIG_IGN);

  ForwardOptions how;
  how.editor = editor;
  std::unique_ptr<LocalDaemon> local;
  if (remote == "off") {
    how.connect = [&]() -> Result<FileDescriptor> {
      if (!local) {
        AMBIT_TRY(started, LocalDaemon::start(model));
        local = std::move(started);
      }
      return local->connect();
    };
  } else if (remote == "auto") {
    how.connect = [&] { return connect_or_start(model); };
    // A daemon that ends by itself removes its socket; one that dies cannot.
    how.stopped = [&] {
      std::error_code ignored;
      const auto path = daemon_socket(model);
      return path && !std::filesystem::exists(*path, ignored);
    };
  } else {
    how.connect = [&] { return connect_local(remote); };
  }

  if (options.given("--socket")) {
    auto fd = connect_loopback(static_cast<std::uint16_t>(port));
    return fd ? forward(fd->get(), fd->get(), std::move(how)) : report(fd.error());
  }
  if (!pipe.empty()) {
    auto fd = connect_local(pipe);
    return fd ? forward(fd->get(), fd->get(), std::move(how)) : report(fd.error());
  }
  return forward(STDIN_FILENO, STDOUT_FILENO, std::move(how));
}

}  // namespace ambit::daemon
