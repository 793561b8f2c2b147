// The daemon's server as this program sets it up, in whatever process it runs.
#pragma once

#include <memory>
#include <string>

#include "daemon/net/local_socket.h"
#include "daemon/server.h"
#include "daemon/support/result.h"

namespace ambit::daemon {

// Indexer, packer and caches in their usual places, for this configuration.
[[nodiscard]] ServerOptions server_options(const Config& config);

// Writes the log where the settings say.
void open_log(const Config& config);

// The settings of this machine; `model` is what the command line said, empty for the configured
// one.
[[nodiscard]] Result<Config> local_config(const std::string& model);

// A daemon in this process that nobody else can reach: for --no-daemon and --remote=off. The model
// still runs in an engine process of its own. Ends with the object.
class LocalDaemon {
 public:
  // With local_config(model).
  [[nodiscard]] static Result<std::unique_ptr<LocalDaemon>> start(const std::string& model);
  explicit LocalDaemon(ServerOptions options) : server_(std::move(options)) {}

  // A stream to it, as connect_or_start() gives one to the shared daemon. Any thread.
  [[nodiscard]] Result<FileDescriptor> connect();
  [[nodiscard]] Server& server() { return server_; }

 private:
  Server server_;
};

// The stream of one command: to the shared daemon, or with `alone` to one in this process.
class CommandDaemon {
 public:
  [[nodiscard]] static Result<CommandDaemon> reach(const std::string& model, bool alone);
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  std::unique_ptr<LocalDaemon> local_;
  FileDescriptor fd_;  // closed before the daemon ends
};

}  // namespace ambit::daemon
