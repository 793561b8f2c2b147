// `ambit config show|schema`.
#include <cstdio>

#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/config.h"

namespace ambit::daemon {

int config_command(const Arguments& arguments) {
  Options options("config", "show|schema [--format json|markdown]", "The settings.");
  auto& what = options.positional("show|schema", Options::kRequired);
  auto& format = options.choice("--format", "json", {"json", "markdown"}, "of the schema");
  if (auto done = options.parse(arguments)) return *done;
  if (what == "schema") {
    std::fputs((format == "json" ? settings_json_schema() : settings_markdown()).c_str(), stdout);
    return kExitDone;
  }
  if (what != "show") return options.usage_error("say show or schema");
  auto config = Config::load();
  if (!config) return report(config.error());
  for (const Setting& s : settings_table()) {
    std::printf("%.*s = %s  # %s\n", static_cast<int>(s.key.size()), s.key.data(),
                to_string(config->value(s.key)).c_str(), config->origin(s.key).c_str());
  }
  return kExitDone;
}

}  // namespace ambit::daemon
