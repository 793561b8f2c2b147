// The loop of `ambit lsp`: bytes both ways between an editor and the daemon. It outlives the
// daemon: one that died is replaced and told everything again, one that was stopped on purpose is
// started again by the editor's next request, and where none can run the forwarder stays, answers
// everything with nothing, and says once why. So an editor never sees its language server crash.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/net/local_socket.h"
#include "daemon/support/result.h"

namespace ambit::daemon {

struct ForwardOptions {
  // A stream to the daemon, which may be started for it. May block for some seconds.
  std::function<Result<FileDescriptor>()> connect;
  // After the end of the stream: was the daemon stopped on purpose? Then nobody starts it before
  // the editor asks for something.
  std::function<bool()> stopped;
  // How long to wait before the first, second, … reconnection. A daemon that is gone once more
  // within `window` is not tried again: what it is told makes it die.
  std::vector<std::chrono::milliseconds> pauses{std::chrono::milliseconds(0),
                                                std::chrono::milliseconds(500),
                                                std::chrono::milliseconds(2000)};
  std::chrono::milliseconds window{60000};
  // The editor's process, when it is known before initialize says it; 0: not yet.
  std::int64_t editor = 0;
  // Sees every message that is passed on, in order; may be empty.
  std::function<void(bool from_editor, std::string_view body)> watch;
};

// Blocks until the editor says exit, closes its end or dies. The exit code is LSP's: 0 after
// shutdown, else 1. `in` and `out` stay the caller's; SIGPIPE must be ignored.
[[nodiscard]] int forward(int in, int out, ForwardOptions options);

}  // namespace ambit::daemon
