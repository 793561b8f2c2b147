// THE list of verbs.
#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>

#include "daemon/cli/command.h"
#include "daemon/cli/verbs.h"

namespace ambit::daemon {

namespace {

constexpr std::array kCommands{
    Command{"lsp", "the language server that editors start", lsp_command},
    Command{"complete", "complete at FILE:LINE:COL", complete_command},
    Command{"review", "review what is about to be committed", review_command},
    Command{"hook", "install the review as a git hook", hook_command},
    Command{"refactor", "change the whole repository: plan, preview, apply, undo",
            refactor_command},
    Command{"status", "what runs: sessions, repositories, model, memory", status_command},
    Command{"index", "the index of a repository: symbols, uses, text", index_command},
    Command{"context", "what a prompt would hold, and why", context_command},
    Command{"ignore", "would a file be sent, and by which rule not", ignore_command},
    Command{"check", "one completion the whole way, with timings", check_command},
    Command{"doctor", "is everything right on this machine", doctor_command},
    Command{"model", "tokens, prompts, logits, speed: the model by itself", model_command},
    Command{"plan", "what would fit here and how fast, before loading", plan_command},
    Command{"remote", "which repositories may be sent to a model server", remote_command},
    Command{"record", "`lsp`, with everything that is said kept in a file", record_command},
    Command{"replay", "such a file once more, without a model", replay_command},
    Command{"config", "show the settings and where they come from", config_command},
    Command{"serve", "run the daemon", serve_command},
    Command{"stop", "stop the daemon", stop_command},
    Command{"version", "print the version", version_command},
    Command{"engine", "the process that holds the model", engine_command, true},
};

void print_list(std::FILE* to, std::span<const Command> commands) {
  for (const Command& command : commands) {
    if (command.hidden) continue;
    std::fprintf(to, "  %-11.*s %.*s\n", static_cast<int>(command.name.size()), command.name.data(),
                 static_cast<int>(command.summary.size()), command.summary.data());
  }
}

void print_help() {
  std::puts("usage: ambit COMMAND [options]\n");
  print_list(stdout, commands());
  std::puts(
      "\n`ambit COMMAND --help` says more.\nExit codes: 0 done, 1 findings or a failed check, 2 "
      "usage or configuration, 3 no engine or\nmodel, 4 timed out or cancelled, 5 internal error.");
}

}  // namespace

std::span<const Command> commands() {
  return kCommands;
}

int exit_code(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kUnsupported:
    case Code::kPermission:
      return kExitUsage;
    case Code::kUnavailable:
      return kExitUnavailable;
    case Code::kCancelled:
    case Code::kTimeout:
      return kExitTimeout;
    case Code::kCorrupt:
    case Code::kResourceExhausted:
    case Code::kIo:
    case Code::kInternal:
      return kExitInternal;
  }
  return kExitInternal;
}

int report(const Error& error) {
  std::fprintf(stderr, "ambit: %s\n", error.message.c_str());
  return exit_code(error.code);
}

int run_subcommand(std::string_view command, std::span<const Command> verbs,
                   const Arguments& arguments) {
  const std::string name = "ambit " + std::string(command);
  const bool help =
      !arguments.empty() && (arguments.front() == "--help" || arguments.front() == "-h");
  if (help || arguments.empty()) {
    std::FILE* to = help ? stdout : stderr;
    std::fprintf(to, "usage: %s VERB [options]\n\n", name.c_str());
    print_list(to, verbs);
    std::fprintf(to, "\n`%s VERB --help` says more.\n", name.c_str());
    return help ? kExitDone : kExitUsage;
  }
  for (const Command& verb : verbs) {
    if (verb.name == arguments.front()) {
      return verb.run(Arguments(arguments.begin() + 1, arguments.end()));
    }
  }
  std::fprintf(stderr, "%s: no verb \"%s\"; `%s --help` lists them\n", name.c_str(),
               arguments.front().substr(0, 60).c_str(), name.c_str());
  return kExitUsage;
}

int run_command_line(int argc, char** argv) {
  const Arguments words(argv + std::min(argc, 1), argv + argc);
  if (words.empty()) {
    print_help();
    return kExitUsage;
  }
  std::string verb = words.front();
  if (verb == "--help" || verb == "-h" || verb == "help") {
    print_help();
    return kExitDone;
  }
  if (verb == "--version") verb = "version";
  const auto all = commands();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Command& c) { return c.name == verb; });
  if (found == all.end()) {
    std::fprintf(stderr, "ambit: there is no command '%s'; see `ambit help`\n", verb.c_str());
    return kExitUsage;
  }
  try {
    return found->run(Arguments(words.begin() + 1, words.end()));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ambit: internal error: %s\n", error.what());
    return kExitInternal;
  }
}

}  // namespace ambit::daemon
