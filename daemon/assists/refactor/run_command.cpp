#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "daemon/assists/refactor/verify.h"

namespace ambit::daemon {
namespace {

constexpr std::size_t kKeepOutput = std::size_t{256} << 10;

}  // namespace

Result<CommandRun> run_command(const std::vector<std::string>& words,
                               const std::filesystem::path& folder, std::int64_t timeout_s,
                               std::stop_token stop) {
  if (words.empty()) return make_error(Code::kInvalidArgument, "the command is empty");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return make_error(Code::kIo, "cannot make a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  std::vector<char*> argv;
  for (const auto& w : words) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  // git's own variables name the real work tree; a command in the copy must not see them.
  std::vector<char*> environment;
  for (char** e = environ; *e != nullptr; ++e) {
    if (std::strncmp(*e, "GIT_", 4) != 0) environment.push_back(*e);
  }
  environment.push_back(nullptr);
  const auto begun = std::chrono::steady_clock::now();
  pid_t child = 0;
  const int failed =
      ::posix_spawnp(&child, argv[0], &actions, &attributes, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  if (failed != 0) {
    ::close(ends[0]);
    return make_error(Code::kNotFound,
                      "cannot run " + words[0].substr(0, 200) + ": " + std::strerror(failed));
  }
  CommandRun out;
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  bool cancelled = false, ended = false;
  int status = 0;
  char buffer[1 << 14];
  // Takes what is there; false at the end of the output.
  const auto read_some = [&] {
    const auto n = ::read(ends[0], buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) return true;
    if (n <= 0) return false;
    out.output.append(buffer, static_cast<std::size_t>(n));
    if (out.output.size() > 2 * kKeepOutput) {
      out.output.erase(0, out.output.size() - kKeepOutput);
    }
    return true;
  };
  const auto readable = [&](int wait_ms) {
    pollfd p{ends[0], POLLIN, 0};
    return ::poll(&p, 1, wait_ms) > 0;
  };
  for (;;) {
    if (stop.stop_requested()) cancelled = true;
    if (seconds() > static_cast<double>(timeout_s)) out.timed_out = true;
    if (cancelled || out.timed_out) break;
    if (readable(100)) {
      if (!read_some()) break;
    } else if (::waitpid(child, &status, WNOHANG) == child) {
      ended = true;  // something that it left behind still holds the pipe
      // Its last words may have come since the wait for them was over.
      for (int i = 0; i < 8 && readable(0) && read_some(); ++i) {
      }
      break;
    }
  }
  if (cancelled || out.timed_out) ::kill(-child, SIGKILL);
  while (!ended && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::kill(-child, SIGKILL);  // whatever is left of its group
  ::close(ends[0]);
  if (out.output.size() > kKeepOutput) out.output.erase(0, out.output.size() - kKeepOutput);
  out.seconds = seconds();
  if (cancelled) return make_error(Code::kCancelled, "cancelled");
  out.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return out;
}

Result<std::vector<std::string>> split_command(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  bool open = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (c == '\\' && quote == '"' && i + 1 < text.size()) {
        word += text[++i];
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      open = true;
    } else if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
      open = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (open) out.push_back(std::move(word));
      word.clear();
      open = false;
    } else {
      word += c;
      open = true;
    }
  }
  if (quote != 0) return make_error(Code::kInvalidArgument, "a quote in the command does not end");
  if (open) out.push_back(std::move(word));
  if (out.empty()) return make_error(Code::kInvalidArgument, "the command is empty");
  return out;
}

std::set<std::string> failures_in(std::string_view output) {
  std::set<std::string> out;
  for (std::size_t at = 0; at < output.size() && out.size() < 5000;) {
    const auto end = std::min(output.find('\n', at), output.size());
    const auto line = output.substr(at, std::min<std::size_t>(end - at, 500));
    at = end + 1;
    std::string lower;
    for (const char c : line) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    bool speaks = false;
    for (const auto* word : {"error", "fail", "undefined", "not found", "panic", "traceback",
                             "assert", "cannot", "unresolved"}) {
      speaks = speaks || lower.find(word) != std::string::npos;
    }
    if (!speaks) continue;
    // Line numbers, times and addresses differ from run to run.
    std::string plain;
    for (const char c : line) {
      if (c >= '0' && c <= '9') {
        if (plain.empty() || plain.back() != '#') plain += '#';
      } else if (c != '\r') {
        plain += c;
      }
    }
    while (!plain.empty() && (plain.front() == ' ' || plain.front() == '\t')) plain.erase(0, 1);
    if (!plain.empty()) out.insert(std::move(plain));
  }
  return out;
}

}  // namespace ambit::daemon
