// `remote:PROFILE@URL#MODEL`: reads the words, finds the key, and makes the backend.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/config.h"
#include "daemon/support/result.h"
#include "inference/backend.h"
#include "inference/remote/profile.h"
#include "inference/remote/url.h"

namespace ambit::daemon {

struct RemoteModel {
  const inference::remote::Profile* profile = nullptr;  // never null
  inference::remote::Url url;
  std::string model;  // empty: the first that the server lists
};

// What follows "remote:". @URL may be left out where the profile has an address of its own, #MODEL
// where the first model of the server will do. kInvalidArgument names what is wrong.
[[nodiscard]] Result<RemoteModel> parse_remote_model(const std::string& words);

// The key that `remote.api_key` names: "" none, "env:NAME", "file:PATH" (a file of the user's that
// nobody else may read, else kPermission), or "keyring" (secret-tool's entry with the attributes
// service=ambit and server=HOST). The key itself is never part of an error.
[[nodiscard]] Result<std::string> read_api_key(const std::string& setting, const std::string& host);

// Plain http is refused with kPermission unless it stays on this machine or the user allows it by
// `remote.allow_plain_http`; a key is never sent over plain http to another host. `on_change` as in
// RemoteOptions. Nothing is sent before the backend wakes.
[[nodiscard]] Result<std::shared_ptr<inference::Backend>> open_remote_model(
    const RemoteModel& remote, const Config& config,
    std::function<void(const inference::BackendInfo&)> on_change);

}  // namespace ambit::daemon
