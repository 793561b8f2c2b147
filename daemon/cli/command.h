// The verbs of the command line. Each lives in one file of this folder and reads its own options;
// cli/table.cpp lists them all.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::daemon {

// Exit codes, the same for every command (docs: `ambit help exit-codes`).
enum ExitCode : int {
  kExitDone = 0,
  kExitFindings = 1,     // findings at or above the level, or a failed check
  kExitUsage = 2,        // usage or configuration
  kExitUnavailable = 3,  // no engine or model
  kExitTimeout = 4,      // timed out or cancelled
  kExitInternal = 5,
};

[[nodiscard]] int exit_code(Code code);

// Prints "ambit: <message>" to stderr and returns the exit code that belongs to the error.
int report(const Error& error);

using Arguments = std::vector<std::string>;  // what follows the verb

struct Command {
  std::string_view name;  // "complete", "model"
  std::string_view summary;
  int (*run)(const Arguments& arguments);  // returns the exit code
  bool hidden = false;                     // for processes of ours, not for people
};

// All verbs, in the order in which help shows them.
[[nodiscard]] std::span<const Command> commands();

int run_command_line(int argc, char** argv);

// The verbs of one command (`ambit index VERB`): runs the one that is named first; a list of them
// for --help, and for nothing or another word a usage error that says where the list is.
[[nodiscard]] int run_subcommand(std::string_view command, std::span<const Command> verbs,
                                 const Arguments& arguments);

}  // namespace ambit::daemon
