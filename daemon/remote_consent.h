// Which repositories may be sent to which model server: what the user said with
// `ambit remote allow`, kept in $XDG_CONFIG_HOME/ambit/remote-allowed, one "SERVER<tab>ROOT" a
// line. Nothing that a repository contains can change it, and agreeing to one server says nothing
// about another one. Any thread; the file is read anew each time, so an answer takes effect at
// once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::daemon {

struct Consent {
  std::string server;          // "https://host:port/path"
  std::filesystem::path root;  // canonical
};

[[nodiscard]] std::filesystem::path consent_file();
// Lines that cannot be read are left out. kPermission when somebody else may write the file.
[[nodiscard]] Result<std::vector<Consent>> consents();
// Repeating what is there already changes nothing.
[[nodiscard]] Result<void> allow_remote(const std::string& server,
                                        const std::filesystem::path& root);
// True when there was such a line.
[[nodiscard]] Result<bool> deny_remote(const std::string& server,
                                       const std::filesystem::path& root);

// kPermission, with the command that would allow it, unless the user agreed. An empty root is a
// file outside of every repository, which is never sent.
[[nodiscard]] Result<void> check_consent(const std::string& server, const std::string& root);

}  // namespace ambit::daemon
