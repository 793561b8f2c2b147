// `ambit doctor`: everything that must be right on this machine, looked at without changing it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "daemon/cli/daemon_client.h"
#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/paths.h"
#include "daemon/scheduling/model_spec.h"
#include "daemon/version.h"
#include "indexer/syntax/describe.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::daemon {
namespace {

using nlohmann::json;

class Checks {
 public:
  void ok(const char* name, const std::string& says) { add(name, "ok", says, ""); }
  void warning(const char* name, const std::string& says, const std::string& advice) {
    add(name, "warning", says, advice);
  }
  void error(const char* name, const std::string& says, const std::string& advice) {
    failed_ = true;
    add(name, "error", says, advice);
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] const json& rows() const { return rows_; }

 private:
  void add(const char* name, const char* result, const std::string& says,
           const std::string& advice) {
    rows_.push_back({{"check", name}, {"result", result}, {"says", says}, {"advice", advice}});
  }
  json rows_ = json::array();
  bool failed_ = false;
};

// A folder that we will write to: it, or the nearest one above it that exists, lets us.
void check_folder(Checks& checks, const char* name, const std::filesystem::path& folder) {
  auto at = folder;
  std::error_code ignored;
  while (!at.empty() && at.has_relative_path() && !std::filesystem::exists(at, ignored)) {
    at = at.parent_path();
  }
  if (std::filesystem::is_directory(at, ignored) && ::access(at.c_str(), W_OK | X_OK) == 0) {
    checks.ok(name, folder.string());
  } else {
    checks.error(name, folder.string() + " cannot be written",
                 "make " + at.string() + " a folder that you may write to");
  }
}

void check_model(Checks& checks, const std::string& setting) {
  const auto spec = resolve_model(setting);
  if (!spec) {
    return checks.error("model", spec.error().message, "set `model`, or pass --model DIR");
  }
  checks.ok("model", spec->text());
  const auto tokenizer = load_tokenizer(*spec);
  if (!tokenizer) {
    return checks.error("tokenizer", tokenizer.error().message,
                        "the model's folder needs its tokenizer.json");
  }
  const std::string_view probe = "int main() { return 0; }  // caf\xC3\xA9\n";
  if ((*tokenizer)->decode((*tokenizer)->encode(probe)) != probe) {
    return checks.error("tokenizer", "text does not survive encoding and decoding",
                        "fetch tokenizer.json of this model again");
  }
  checks.ok("tokenizer", std::to_string((*tokenizer)->vocab_size()) + " tokens");
}

void check_languages(Checks& checks) {
  const auto all = indexer::describe_languages();
  const auto lame = std::find_if(all.begin(), all.end(), [](const auto& language) {
    return language.kinds.empty() && !language.references;
  });
  if (lame == all.end()) {
    checks.ok("languages", std::to_string(all.size()) + " grammars with rules");
  } else {
    checks.error("languages", "no rules for " + std::string(lame->info->name),
                 "this build is broken: install Ambit again");
  }
}

// Only looks whether one answers; none is fine, editors start it.
void check_daemon(Checks& checks, const std::string& model) {
  const auto path = daemon_socket(model);
  if (!path) {
    return checks.error("runtime folder", path.error().message,
                        "give $XDG_RUNTIME_DIR a folder of your own with mode 0700");
  }
  checks.ok("runtime folder", path->parent_path().string());
  auto fd = connect_local(*path);
  if (!fd) return checks.ok("daemon", "not running; the first editor or command starts it");
  const auto status = ask_daemon(fd->get(), "ambit/status", nullptr);
  if (!status) {
    return checks.error("daemon", status.error().message, "run `ambit stop`, then try again");
  }
  const auto theirs = status->value("version", std::string());
  if (theirs != version()) {
    return checks.warning("daemon", "runs version " + theirs,
                          "run `ambit stop`: the next command starts this version");
  }
  checks.ok("daemon", "runs, version " + theirs);
}

}  // namespace

int doctor_command(const Arguments& arguments) {
  Options options("doctor", "[--json]", "Look whether everything is right on this machine.");
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  Checks checks;
  checks.ok("version", std::string(version()));
  const auto config = Config::load();
  if (config) {
    std::error_code ignored;
    const auto file = user_config_file();
    checks.ok("configuration", std::filesystem::exists(file, ignored)
                                   ? file.string()
                                   : "defaults; there is no " + file.string());
  } else {
    checks.error("configuration", config.error().message, "correct this line of the file");
  }
  check_folder(checks, "cache folder", cache_directory());
  check_folder(checks, "state folder", state_directory());
  check_model(checks, !model.empty() ? model : config ? config->text("model") : "");
  check_languages(checks);
  check_daemon(checks, model);
  if (as_json) {
    print_json({{"ok", !checks.failed()}, {"checks", checks.rows()}});
  } else {
    for (const auto& row : checks.rows()) {
      std::printf("%-8s %-15s %s\n", row["result"].get<std::string>().c_str(),
                  row["check"].get<std::string>().c_str(), row["says"].get<std::string>().c_str());
      const auto advice = row["advice"].get<std::string>();
      if (!advice.empty()) std::printf("%24s -> %s\n", "", advice.c_str());
    }
  }
  return checks.failed() ? kExitFindings : kExitDone;
}

}  // namespace ambit::daemon
