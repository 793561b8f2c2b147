#include "daemon/cli/local_daemon.h"

#include <cstdlib>

#include "daemon/cli/daemon_client.h"
#include "daemon/paths.h"
#include "daemon/support/file.h"
#include "daemon/support/machine.h"
#include "daemon/support/trace.h"

namespace ambit::daemon {

ServerOptions server_options(const Config& config) {
  IndexSupport index;
  index.open = [threads = config.integer("index.threads"),
                max_bytes = config.integer("index.max_file_bytes")](
                   const auto& root, IndexSupport::OnProgress on_progress) {
    indexer::IndexOptions wanted;
    wanted.cache_directory = cache_directory() / "index";
    wanted.threads = background_threads(threads);
    wanted.max_file_bytes = static_cast<std::uint64_t>(max_bytes);
    wanted.on_progress = std::move(on_progress);
    return indexer::RepoIndex::open(root, wanted);
  };
  index.make_packer = [](const std::filesystem::path& root) {
    indexer::PackerOptions wanted;
    wanted.repository = root.filename().string();
    wanted.directory = pack_directory(root);
    return indexer::make_packer(wanted);
  };
  return {config, std::move(index)};
}

void open_log(const Config& config) {
  if (std::getenv("AMBIT_LOG") == nullptr) set_log_level(parse_log_level(config.text("log.level")));
  if (!config.flag("log.file")) return;
  const auto folder = state_directory() / "log";
  if (file_system().make_private_directory(folder)) set_log_file(folder / "daemon.log");
}

Result<Config> local_config(const std::string& model) {
  AMBIT_TRY(config, Config::load());
  if (!model.empty()) AMBIT_CHECK_OK(config.set("model", model, "command line"));
  return config;
}

Result<std::unique_ptr<LocalDaemon>> LocalDaemon::start(const std::string& model) {
  AMBIT_TRY(config, local_config(model));
  return std::make_unique<LocalDaemon>(server_options(config));
}

Result<FileDescriptor> LocalDaemon::connect() {
  AMBIT_TRY(ends, socket_pair());
  server_.add_client(std::move(ends.second));
  return std::move(ends.first);
}

Result<CommandDaemon> CommandDaemon::reach(const std::string& model, bool alone) {
  CommandDaemon out;
  if (alone) {
    AMBIT_TRY(local, LocalDaemon::start(model));
    AMBIT_TRY(fd, local->connect());
    out.local_ = std::move(local);
    out.fd_ = std::move(fd);
    return out;
  }
  AMBIT_TRY(fd, connect_or_start(model));
  out.fd_ = std::move(fd);
  return out;
}

}  // namespace ambit::daemon
