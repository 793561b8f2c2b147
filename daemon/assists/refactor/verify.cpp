#include "daemon/assists/refactor/verify.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/assists/refactor/work_tree.h"
#include "daemon/support/file.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::uint64_t kMaxFile = std::uint64_t{1} << 30;

std::string hash_of(std::string_view content) {
  return indexer::hash_blob(content).hex();
}

// Puts one file there as it is; untouched when it is the same already, so that builds see no news.
Result<void> place(const fs::path& to, std::string_view content, unsigned mode) {
  if (auto now = read_file(to, kMaxFile)) {
    struct stat st {};
    if (*now == content && ::lstat(to.c_str(), &st) == 0 && S_ISREG(st.st_mode)) {
      if ((st.st_mode & 0777U) != mode) ::chmod(to.c_str(), mode);
      return {};
    }
  }
  std::error_code ec;
  fs::create_directories(to.parent_path(), ec);
  fs::remove(to, ec);
  const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return make_error(Code::kIo, "cannot write " + to.string());
  bool ok = true;
  while (!content.empty() && ok) {
    const auto n = ::write(fd, content.data(), content.size());
    ok = n > 0;
    if (ok) content.remove_prefix(static_cast<std::size_t>(n));
  }
  ::fchmod(fd, mode);
  ::close(fd);
  if (!ok) return make_error(Code::kIo, "cannot write " + to.string());
  return {};
}

Result<void> put(const fs::path& tree, const std::string& path, const FileChange& c, bool after) {
  const auto& text = after ? c.after : c.before;
  if (!text) {
    std::error_code ec;
    fs::remove(tree / path, ec);
    return {};
  }
  struct stat st {};
  const bool there = ::lstat((tree / path).c_str(), &st) == 0 && S_ISREG(st.st_mode);
  return place(tree / path, *text, there ? st.st_mode & 0777U : c.mode);
}

}  // namespace

Scratch::Scratch(Scratch&& o) noexcept
    : folder_(std::move(o.folder_)),
      tree_(std::move(o.tree_)),
      lock_(std::exchange(o.lock_, -1)),
      fingerprint_(std::move(o.fingerprint_)) {}
Scratch::~Scratch() {
  if (lock_ >= 0) ::close(lock_);
}

Result<Scratch> Scratch::prepare(const fs::path& root, const fs::path& cache,
                                 std::stop_token stop) {
  std::error_code ec;
  const auto real = fs::canonical(root, ec);
  if (ec) return make_error(Code::kNotFound, "there is no folder " + root.string());
  auto& files = file_system();
  Scratch out;
  AMBIT_CHECK_OK(files.make_private_directory(cache));
  AMBIT_CHECK_OK(files.make_private_directory(cache / "scratch"));
  out.folder_ = cache / "scratch" / hash_of(real.string()).substr(0, 16);
  AMBIT_CHECK_OK(files.make_private_directory(out.folder_));
  out.lock_ = ::open((out.folder_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (out.lock_ < 0 || ::flock(out.lock_, LOCK_EX) != 0) {
    return make_error(Code::kIo, "cannot lock " + out.folder_.string());
  }
  out.tree_ = out.folder_ / "tree";
  AMBIT_CHECK_OK(files.make_private_directory(out.tree_));
  AMBIT_TRY(repository, indexer::Repository::open(real));
  AMBIT_TRY(list, repository.list(stop));
  std::set<std::string> now;
  std::string all;
  for (const auto& f : list) {
    if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
    if (!f.on_disk || f.kind == indexer::FileKind::kSubmodule) continue;
    const auto from = real / f.path, to = out.tree_ / f.path;
    struct stat st {};
    if (::lstat(from.c_str(), &st) != 0) continue;
    now.insert(f.path);
    if (S_ISLNK(st.st_mode)) {
      const auto target = fs::read_symlink(from, ec);
      if (fs::read_symlink(to, ec) != target) {
        fs::create_directories(to.parent_path(), ec);
        fs::remove(to, ec);
        fs::create_symlink(target, to, ec);
      }
      all += f.path + " link " + target.string() + "\n";
      continue;
    }
    if (!S_ISREG(st.st_mode)) continue;
    AMBIT_TRY(content, read_file(from, kMaxFile));
    AMBIT_CHECK_OK(place(to, content, st.st_mode & 0777U));
    all += f.path + " " + std::to_string(st.st_mode & 0100U) + " " + hash_of(content) + "\n";
  }
  out.fingerprint_ = hash_of(all);
  // What was copied earlier and is gone now goes; what builds made stays.
  const auto manifest = out.folder_ / "files";
  if (auto earlier = read_file(manifest, kMaxFile)) {
    for (std::size_t at = 0; at < earlier->size();) {
      const auto end = std::min(earlier->find('\0', at), earlier->size());
      const auto path = earlier->substr(at, end - at);
      if (!now.contains(path) && check_path(path)) fs::remove(out.tree_ / path, ec);
      at = end + 1;
    }
  }
  std::string listed;
  for (const auto& path : now) listed += path + '\0';
  AMBIT_CHECK_OK(files.replace(manifest, listed, 0600));
  return out;
}

// The command without the change, once for a state of the repository.
Result<CommandRun> Scratch::baseline(const std::vector<std::string>& command,
                                     std::int64_t timeout_s, std::stop_token stop, bool& cached) {
  const auto key = hash_of(fingerprint_ + json(command).dump());
  const auto file = folder_ / "baseline.json";
  if (auto text = read_file(file, 1U << 22)) {
    const auto known = json::parse(*text, nullptr, false);
    if (known.is_object() && known.value("key", "") == key) {
      cached = true;
      CommandRun run;
      run.exit_code = known.value("exit_code", 1);
      run.output = known.value("output", "");
      return run;
    }
  }
  cached = false;
  AMBIT_TRY(run, run_command(command, tree_, timeout_s, stop));
  if (run.timed_out) return run;
  const json known{{"key", key}, {"exit_code", run.exit_code}, {"output", run.output}};
  AMBIT_CHECK_OK(file_system().replace(
      file, known.dump(-1, ' ', false, json::error_handler_t::replace), 0600));
  return run;
}

Result<Verdict> Scratch::verify(const ChangeSet& changes, const std::vector<std::string>& command,
                                std::int64_t timeout_s, std::stop_token stop,
                                const std::function<void(std::string_view)>& say) {
  Verdict out;
  for (const auto& [path, c] : changes) {
    if (auto ok = check_syntax(c); !ok) {
      out.summary = ok.error().message;
      out.failures.push_back(ok.error().message);
      return out;
    }
  }
  if (command.empty()) {
    out.passed = true;
    out.summary = std::to_string(changes.size()) +
                  " files parse as well as before; no command "
                  "was given to build or test them";
    return out;
  }
  if (say) say("running the command without the change");
  AMBIT_TRY(before, baseline(command, timeout_s, stop, out.baseline_cached));
  if (say) say("running the command with the change");
  for (const auto& [path, c] : changes) AMBIT_CHECK_OK(put(tree_, path, c, true));
  auto after = run_command(command, tree_, timeout_s, stop);
  for (const auto& [path, c] : changes) AMBIT_CHECK_OK(put(tree_, path, c, false));
  if (!after) return after.error();
  out.seconds = before.seconds + after->seconds;
  if (after->timed_out) {
    out.summary = "the command took longer than " + std::to_string(timeout_s) + " s";
    return out;
  }
  if (after->exit_code == 0) {
    out.passed = true;
    out.summary = "the command passes with the change";
    return out;
  }
  const auto old_failures = failures_in(before.output);
  for (const auto& f : failures_in(after->output)) {
    if (!old_failures.contains(f)) out.failures.push_back(f);
  }
  if (before.exit_code != 0 && out.failures.empty() && before.exit_code == after->exit_code) {
    out.passed = true;
    out.summary = "the command fails as it did without the change, and in nothing else";
    return out;
  }
  out.summary =
      "the command fails with the change (exit code " + std::to_string(after->exit_code) + ")";
  if (out.failures.empty()) {
    const auto tail = after->output.size() > 400 ? after->output.substr(after->output.size() - 400)
                                                 : after->output;
    out.failures.push_back(tail);
  }
  if (out.failures.size() > 20) out.failures.resize(20);
  return out;
}

Result<Verdict> verify_plan(Plan& plan, const FileReader& read, Scratch& scratch,
                            const std::vector<std::string>& command, std::int64_t timeout_s,
                            std::stop_token stop,
                            const std::function<void(std::string_view)>& say) {
  const auto attempt = [&]() -> Result<Verdict> {
    auto changes = plan_changes(plan, read);
    if (!changes) {
      Verdict out;
      out.summary = changes.error().message;
      out.failures.push_back(out.summary);
      return out;
    }
    return scratch.verify(*changes, command, timeout_s, stop, say);
  };
  AMBIT_TRY(first, attempt());
  auto verdict = first;
  const auto alive = [&] {
    return std::count_if(plan.steps.begin(), plan.steps.end(),
                         [](const PlanStep& s) { return !s.dropped; });
  };
  if (verdict.passed || alive() <= 1) return verdict;
  // Which step is to blame? Each alone is left out first; then they go one after another.
  std::vector<std::size_t> order;
  for (const auto author : {PlanAuthor::kModel, PlanAuthor::kIndex}) {
    for (std::size_t i = plan.steps.size(); i-- > 0;) {
      if (plan.steps[i].author == author && !plan.steps[i].dropped) order.push_back(i);
    }
  }
  const auto reason = first.failures.empty() ? first.summary : first.failures.front();
  for (const auto i : order) {
    plan.steps[i].dropped = true;
    plan.steps[i].reason = reason;
    AMBIT_TRY(v, attempt());
    if (v.passed) return v;
    plan.steps[i].dropped = false;
    plan.steps[i].reason.clear();
  }
  for (const auto i : order) {
    if (alive() <= 1) break;
    plan.steps[i].dropped = true;
    plan.steps[i].reason = reason;
    AMBIT_TRY(v, attempt());
    if (v.passed) return v;
  }
  for (const auto i : order) {
    plan.steps[i].dropped = false;
    plan.steps[i].reason.clear();
  }
  return first;
}

}  // namespace ambit::daemon
