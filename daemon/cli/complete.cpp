// `ambit complete FILE:LINE:COL`.
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "daemon/cli/daemon_client.h"
#include "daemon/cli/local_daemon.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/session/documents.h"
#include "daemon/support/file.h"

namespace ambit::daemon {

int complete_command(const Arguments& arguments) {
  Options options("complete", "FILE:LINE:COL [--n N] [--json] [--no-daemon]",
                  "Complete at a position.");
  auto& where = options.positional("FILE:LINE:COL", Options::kRequired);
  auto& items = options.integer("--n", 1, 1, 16, "how many items");
  auto& as_json = options.flag("--json", "print one JSON document");
  auto& alone = options.flag("--no-daemon", "answer in this process; leave the daemon alone");
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  if (auto done = options.parse(arguments)) return *done;
  const auto column_at = where.rfind(':');
  const auto line_at = column_at == std::string::npos || column_at == 0
                           ? std::string::npos
                           : where.rfind(':', column_at - 1);
  if (line_at == std::string::npos) return options.usage_error("give FILE:LINE:COL");
  std::uint32_t line = 0, column = 0;
  const char* end = where.data() + where.size();
  std::from_chars(where.data() + line_at + 1, end, line);
  std::from_chars(where.data() + column_at + 1, end, column);
  if (line == 0 || column == 0) return options.usage_error("LINE and COL start at 1");
  const std::filesystem::path file = std::filesystem::absolute(where.substr(0, line_at));
  auto text = read_file(file, std::uint64_t{64} << 20);
  if (!text) return report(text.error());
  const auto offset = offset_at(*text, {line - 1, column - 1}, PositionEncoding::kUtf8);
  auto daemon = CommandDaemon::reach(model, alone);
  if (!daemon) return report(daemon.error());
  auto result =
      ask_daemon(daemon->fd(), "ambit/complete",
                 {{"path", file.string()}, {"text", *text}, {"offset", offset}, {"items", items}});
  if (!result) return report(result.error());
  if (as_json) {
    for (auto& item : (*result)["items"]) {
      item["range"] = {{"line", line}, {"col", column}};
    }
    std::puts(result->dump(2).c_str());
    return kExitDone;
  }
  for (const auto& item : (*result)["items"]) std::puts(item["text"].get<std::string>().c_str());
  if ((*result)["items"].empty()) {
    std::fprintf(stderr, "ambit: nothing to offer: %s\n",
                 (*result)["reason"].get<std::string>().c_str());
  }
  return kExitDone;
}

}  // namespace ambit::daemon
