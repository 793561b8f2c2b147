// Runs the user's own git, without a shell: for what only git knows (its hook folder, its
// settings).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::daemon {

struct GitAnswer {
  int status = 0;      // exit code
  std::string output;  // stdout, at most 1 MiB, without the last line end
};
// kNotFound when there is no git. Errors of git itself are a status, its stderr is dropped.
[[nodiscard]] Result<GitAnswer> run_git(const std::vector<std::string>& arguments);

}  // namespace ambit::daemon
