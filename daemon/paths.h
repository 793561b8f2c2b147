// Where things live, by the XDG rules. Nothing here creates a file unless it says so.
#pragma once

#include <filesystem>
#include <string>

#include "daemon/support/result.h"

namespace ambit::daemon {

[[nodiscard]] std::filesystem::path user_config_file();  // $XDG_CONFIG_HOME/ambit/config.toml
[[nodiscard]] std::filesystem::path cache_directory();   // $XDG_CACHE_HOME/ambit
[[nodiscard]] std::filesystem::path state_directory();   // $XDG_STATE_HOME/ambit
// Where the packs of one repository are kept: a folder of the state directory, named by the hash of
// its root.
[[nodiscard]] std::filesystem::path pack_directory(const std::filesystem::path& root);
[[nodiscard]] std::filesystem::path data_directory();  // $XDG_DATA_HOME/ambit
[[nodiscard]] std::filesystem::path executable();      // of this process
[[nodiscard]] std::filesystem::path home_directory();  // empty when nobody knows

// The folder of sockets and locks: $XDG_RUNTIME_DIR/ambit, else /tmp/ambit-<uid>. Made with mode
// 0700; kPermission when it belongs to somebody else, is a link, or lets others in.
[[nodiscard]] Result<std::filesystem::path> runtime_directory();

// The socket of the daemon that serves `identity` (what makes daemons differ: an explicit model or
// configuration). Equal identities, equal paths. kInvalidArgument when the path is longer than a
// socket address holds.
[[nodiscard]] Result<std::filesystem::path> socket_path(const std::string& identity);

// ambit-nano as it is shipped: <prefix>/share/ambit/nano, or inference/nano/model of the source
// tree that this executable was built from. Empty when neither is there.
[[nodiscard]] std::filesystem::path bundled_model();

}  // namespace ambit::daemon
