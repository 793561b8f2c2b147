// `ambit status`, `ambit version`.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "daemon/cli/daemon_client.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/version.h"

namespace ambit::daemon {

int status_command(const Arguments& arguments) {
  Options options("status", "[--json]", "What runs.");
  (void)options.flag("--json", "print one JSON document");
  auto& model = options.text("--model", "", "SPEC", "of the daemon with this model");
  if (auto done = options.parse(arguments)) return *done;
  auto path = daemon_socket(model);
  if (!path) return report(path.error());
  auto fd = connect_local(*path);
  if (!fd) return report(fd.error());
  auto status = ask_daemon(fd->get(), "ambit/status", nullptr);
  if (!status) return report(status.error());
  std::puts(status->dump(2).c_str());
  return kExitDone;
}

int version_command(const Arguments&) {
  std::printf("ambit %s\n", version().data());
  return kExitDone;
}

}  // namespace ambit::daemon
