// `ambit remote allow|deny|list`: which repositories may be sent to which model server.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/config.h"
#include "daemon/remote_consent.h"
#include "daemon/scheduling/remote_model.h"
#include "daemon/workspace/workspace.h"

namespace ambit::daemon {

namespace {

// The server that is meant: the one given, else the one that the setting `model` names.
Result<std::string> server_of(const std::string& given) {
  std::string words = given;
  if (words.starts_with("https://") || words.starts_with("http://")) {
    AMBIT_TRY(url, inference::remote::parse_url(words));
    if (url.path.empty()) url.path = "/v1";
    return url.text();
  }
  if (words.empty()) {
    AMBIT_TRY(config, Config::load());
    words = config.text("model");
  }
  if (!words.starts_with("remote:")) {
    return make_error(Code::kInvalidArgument,
                      "the setting `model` names no server; say which one with --to URL");
  }
  AMBIT_TRY(remote, parse_remote_model(words.substr(7)));
  return remote.url.text();
}

}  // namespace

int remote_command(const Arguments& arguments) {
  Options options("remote", "allow|deny|list [REPOSITORY] [--to URL] [--json]",
                  "Which repositories may be sent to a model server. Nothing is sent of others.");
  auto& action = options.positional("allow|deny|list", Options::kRequired);
  auto& folder = options.positional("REPOSITORY", Options::kOptional);
  auto& to = options.text("--to", "", "URL", "the server; else that of the setting `model`");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  if (action == "list") {
    const auto all = consents();
    if (!all) return report(all.error());
    auto list = nlohmann::json::array();
    for (const Consent& consent : *all) {
      if (!as_json) std::printf("%s  %s\n", consent.server.c_str(), consent.root.c_str());
      list.push_back({{"server", consent.server}, {"root", consent.root.string()}});
    }
    if (as_json) std::puts(list.dump(2).c_str());
    return kExitDone;
  }
  if (action != "allow" && action != "deny") return options.usage_error("allow, deny or list");
  const auto server = server_of(to);
  if (!server) return report(server.error());
  std::error_code error;
  const auto path = std::filesystem::absolute(folder.empty() ? "." : folder, error);
  if (!std::filesystem::is_directory(path, error)) {
    return report(make_error(Code::kNotFound, "there is no folder " + path.string()));
  }
  const auto root = repository_root(path);
  if (action == "allow") {
    if (auto done = allow_remote(*server, root); !done) return report(done.error());
  } else if (auto done = deny_remote(*server, root); !done) {
    return report(done.error());
  }
  if (as_json) {
    std::puts(
        nlohmann::json{{"server", *server}, {"root", root.string()}, {"allowed", action == "allow"}}
            .dump(2)
            .c_str());
  } else {
    std::printf("%s %s sent to %s\n", root.c_str(),
                action == "allow" ? "may now be" : "is no longer", server->c_str());
  }
  return kExitDone;
}

}  // namespace ambit::daemon
