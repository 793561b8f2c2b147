// Reaching the daemon: connect, or start it and connect.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/config.h"
#include "daemon/net/local_socket.h"
#include "daemon/support/result.h"
#include "inference/backend.h"

namespace ambit::daemon {

// Where the daemon for this configuration listens. `model` is what the command line said.
[[nodiscard]] Result<std::filesystem::path> daemon_socket(const std::string& model);
// Connects; when nobody listens, starts `ambit serve`. A lock makes two starters at once one.
[[nodiscard]] Result<FileDescriptor> connect_or_start(const std::string& model);
// What is known of the configured model without loading it: its name, and the size of a local one;
// enough for can_judge().
[[nodiscard]] Result<inference::BackendInfo> model_before_loading(const Config& config);
// One request over a fresh stream, and its result; an error reply becomes an Error.
[[nodiscard]] Result<nlohmann::json> ask_daemon(int fd, const std::string& method,
                                                const nlohmann::json& params);

}  // namespace ambit::daemon
