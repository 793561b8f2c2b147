// `ambit hook install|uninstall|run`: the review as a git hook. A hook that is there already is
// kept and runs first; uninstall puts it back as it was.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "daemon/cli/git_process.h"
#include "daemon/cli/options.h"
#include "daemon/cli/review_run.h"
#include "daemon/cli/verbs.h"
#include "daemon/paths.h"
#include "daemon/support/file.h"

namespace ambit::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "# ambit hook:";
constexpr std::string_view kBegin = "# >>> ambit hook";
constexpr std::string_view kEnd = "# <<< ambit hook";
constexpr std::string_view kKept = ".before-ambit";
// git runs the second one for merges that it makes itself, the first for all other commits.
constexpr std::array<std::string_view, 2> kEvents{"pre-commit", "pre-merge-commit"};

std::string quoted(const std::string& s) {
  std::string out = "'";
  for (const char c : s) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out.push_back(c);
    }
  }
  return out + "'";
}

// Falls back to the PATH, and lets the commit pass when there is no ambit at all.
std::string script_for(std::string_view event) {
  const std::string name(event);
  return "#!/bin/sh\n" + std::string(kMark) + " " + name +
         "; an older hook is kept beside it and runs first.\n"
         "# AMBIT_REVIEW=0 switches it off; `ambit hook uninstall` removes it.\n"
         "before=$(dirname -- \"$0\")/" +
         name + std::string(kKept) +
         "\n"
         "if [ -x \"$before\" ]; then\n"
         "  \"$before\" \"$@\" || exit $?\n"
         "fi\n"
         "ambit=" +
         quoted(executable().string()) +
         "\n"
         "[ -x \"$ambit\" ] || ambit=$(command -v ambit) || {\n"
         "  echo 'ambit is not installed: this commit is not reviewed' >&2\n"
         "  exit 0\n"
         "}\n"
         "exec \"$ambit\" hook run " +
         name + " \"$@\"\n";
}

bool ours(const std::string& content) {
  return content.find(kMark) != std::string::npos;
}

Result<std::string> git_says(const std::vector<std::string>& arguments, const char* problem) {
  AMBIT_TRY(answer, run_git(arguments));
  if (answer.status != 0) return make_error(Code::kNotFound, problem);
  return answer.output;
}

Result<fs::path> hooks_folder() {
  AMBIT_TRY(path, git_says({"rev-parse", "--git-path", "hooks"}, "this is not a git repository"));
  return fs::absolute(path).lexically_normal();
}

// husky sets core.hooksPath to a folder that it makes anew; people edit the folder above it.
bool made_by_husky(const fs::path& folder) {
  return folder.filename() == "_" && folder.parent_path().filename() == ".husky";
}

Result<void> write_hook(const fs::path& file, std::string_view content) {
  std::error_code ec;
  fs::create_directories(file.parent_path(), ec);
  FileSystem disk;
  return disk.replace(file, content, 0755);
}

// One block at the end of a hook that people own.
Result<void> install_block(const fs::path& file, std::string_view event) {
  std::string text;
  std::error_code ec;
  if (fs::exists(file, ec)) {
    AMBIT_TRY(old, read_file(file, 1U << 20));
    text = std::move(old);
  }
  if (text.find(kBegin) != std::string::npos) return {};
  if (!text.empty() && !text.ends_with('\n')) text.push_back('\n');
  text += std::string(kBegin) + "\nif command -v ambit >/dev/null 2>&1; then ambit hook run " +
          std::string(event) + "\nelif [ -x " + quoted(executable().string()) + " ]; then " +
          quoted(executable().string()) + " hook run " + std::string(event) + "\nfi || exit $?\n" +
          std::string(kEnd) + "\n";
  return write_hook(file, text);
}

Result<bool> remove_block(const fs::path& file) {
  std::error_code ec;
  if (!fs::exists(file, ec)) return false;
  AMBIT_TRY(text, read_file(file, 1U << 20));
  const auto begin = text.find(kBegin);
  const auto end = text.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) return false;
  text.erase(begin, std::min(text.find('\n', end), text.size() - 1) + 1 - begin);
  if (text.empty()) {
    fs::remove(file, ec);
    return true;
  }
  AMBIT_CHECK_OK(write_hook(file, text));
  return true;
}

Result<void> install_one(const fs::path& folder, std::string_view event) {
  const auto file = folder / event;
  if (made_by_husky(folder)) {
    const auto theirs = folder.parent_path() / event;
    AMBIT_CHECK_OK(install_block(theirs, event));
    std::printf("installed in %s\n", theirs.c_str());
    return {};
  }
  std::error_code ec;
  if (fs::exists(fs::symlink_status(file, ec))) {
    auto old = read_file(file, 1U << 20);
    if (!old || !ours(*old)) {
      const fs::path kept = file.string() + std::string(kKept);
      if (fs::exists(fs::symlink_status(kept, ec))) {
        return make_error(Code::kInvalidArgument,
                          "there is a " + kept.string() + " already; move it away first");
      }
      fs::rename(file, kept, ec);
      if (ec) return make_error(Code::kIo, "cannot keep " + file.string() + ": " + ec.message());
      std::printf("kept your hook as %s; it runs first\n", kept.c_str());
    }
  }
  AMBIT_CHECK_OK(write_hook(file, script_for(event)));
  std::printf("installed %s\n", file.c_str());
  return {};
}

Result<bool> uninstall_one(const fs::path& folder, std::string_view event) {
  if (made_by_husky(folder)) return remove_block(folder.parent_path() / event);
  const auto file = folder / event;
  auto old = read_file(file, 1U << 20);
  if (!old || !ours(*old)) return false;
  std::error_code ec;
  const fs::path kept = file.string() + std::string(kKept);
  if (fs::exists(fs::symlink_status(kept, ec))) {
    fs::rename(kept, file, ec);
  } else {
    fs::remove(file, ec);
  }
  if (ec) return make_error(Code::kIo, "cannot remove " + file.string() + ": " + ec.message());
  return true;
}

// Hooks as settings: git 2.54 and later.
Result<bool> git_has_config_hooks() {
  AMBIT_TRY(version, git_says({"version"}, "git does not say its version"));
  int major = 0, minor = 0;
  if (std::sscanf(version.c_str(), "git version %d.%d", &major, &minor) != 2) return false;
  return major > 2 || (major == 2 && minor >= 54);
}

Result<void> install_settings(const std::vector<std::string_view>& events) {
  AMBIT_TRY(known, git_has_config_hooks());
  if (!known) {
    return make_error(Code::kUnsupported,
                      "hooks as settings need git 2.54; install without --config");
  }
  for (const auto event : events) {
    const auto key = "hook.ambit-" + std::string(event);
    for (const auto& [name, value] :
         {std::pair<std::string, std::string>{
              key + ".command", quoted(executable().string()) + " hook run " + std::string(event)},
          {key + ".event", std::string(event)}}) {
      AMBIT_TRY(set, git_says({"config", name, value}, "git config refuses the setting"));
      (void)set;
    }
    std::printf("set %s\n", key.c_str());
  }
  return {};
}

bool remove_settings(std::string_view event) {
  const auto answer = run_git({"config", "--remove-section", "hook.ambit-" + std::string(event)});
  return answer && answer->status == 0;
}

bool switched_off() {
  const char* value = std::getenv("AMBIT_REVIEW");
  const std::string word = value == nullptr ? "" : value;
  return word == "0" || word == "off" || word == "false" || word == "no";
}

int run_hook(const std::string& event, const std::string& model) {
  if (switched_off()) return kExitDone;
  if (std::find(kEvents.begin(), kEvents.end(), event) == kEvents.end()) {
    std::fprintf(stderr, "ambit: there is no hook for '%s'\n", event.c_str());
    return kExitUsage;
  }
  if (const auto config = Config::load(); config && !config->flag("review.enabled"))
    return kExitDone;
  ReviewRequest request;
  request.in_hook = true;
  request.model = model;
  const int code = run_review(request);
  if (code == kExitFindings) {
    std::fputs("ambit: the commit was stopped; `git commit --no-verify` lets it pass\n", stderr);
  }
  return code;
}

}  // namespace

int hook_command(const Arguments& arguments) {
  Options options("hook", "install|uninstall|run [pre-commit|pre-merge-commit]",
                  "Review every commit: install, remove or run the git hook.");
  auto& verb = options.positional("install|uninstall|run", Options::kRequired);
  auto& event = options.positional("EVENT", Options::kOptional);
  auto& settings = options.flag("--config", "as a git setting instead of a file (git 2.54)");
  auto& model = options.text("--model", "", "SPEC", "run: instead of the configured model");
  if (auto done = options.parse(arguments)) return *done;
  if (verb == "run") return run_hook(event.empty() ? "pre-commit" : event, model);
  std::vector<std::string_view> events;
  for (const auto e : kEvents) {
    if (event.empty() || event == e) events.push_back(e);
  }
  if (events.empty()) return options.usage_error("the hooks are pre-commit and pre-merge-commit");
  const auto folder = hooks_folder();
  if (!folder) return report(folder.error());
  if (verb == "install") {
    if (settings) {
      const auto set = install_settings(events);
      return set ? kExitDone : report(set.error());
    }
    for (const auto e : events) {
      if (const auto done = install_one(*folder, e); !done) return report(done.error());
    }
    return kExitDone;
  }
  if (verb == "uninstall") {
    bool any = false;
    for (const auto e : events) {
      const auto removed = uninstall_one(*folder, e);
      if (!removed) return report(removed.error());
      any = remove_settings(e) || *removed || any;
    }
    std::puts(any ? "removed" : "there was no hook of ambit here");
    return kExitDone;
  }
  return options.usage_error("say install, uninstall or run");
}

}  // namespace ambit::daemon
