// `ambit review`: facts from the index in this process; what needs the model is asked of the
// daemon.
#include "daemon/assists/review/facts.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "daemon/assists/review/format.h"
#include "daemon/assists/review/model_findings.h"
#include "daemon/assists/review/suppress.h"
#include "daemon/cli/daemon_client.h"
#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/review_run.h"
#include "daemon/cli/verbs.h"
#include "daemon/support/file.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {
namespace {

namespace fs = std::filesystem;
using review::Severity;

constexpr std::string_view kDefaultBaseline = ".ambit-baseline.json";

// Requests a stop when the time is up; ends at once when it goes out of scope.
class Deadline {
 public:
  explicit Deadline(std::chrono::seconds time)
      : thread_([this, time](const std::stop_token& ended) {
          std::unique_lock lock(mutex_);
          changed_.wait_for(lock, ended, time, [] { return false; });
          if (!ended.stop_requested()) late_.request_stop();
        }) {}
  [[nodiscard]] std::stop_token token() const { return late_.get_token(); }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::stop_source late_;
  std::jthread thread_;  // last: it uses the others
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::string> all_of_stdin(std::uint64_t max_bytes) {
  std::string out;
  char buffer[65536];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, stdin)) {
    out.append(buffer, n);
    if (out.size() > max_bytes) {
      return make_error(Code::kResourceExhausted, "the patch on stdin is larger than 64 MiB");
    }
  }
  return out;
}

// While it merges, git names the other parents in variables GITHEAD_<id> (before MERGE_HEAD is
// written); pre-merge-commit needs them.
std::vector<std::string> parents_from_environment() {
  std::vector<std::string> out;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry = *at;
    constexpr std::string_view kPrefix = "GITHEAD_";
    if (!entry.starts_with(kPrefix)) continue;
    const auto id = entry.substr(kPrefix.size(), entry.find('=') - kPrefix.size());
    if (id.size() == 40 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos) {
      out.emplace_back(id);
    }
  }
  return out;
}

Result<review::Source> source_of(const ReviewRequest& request) {
  review::Source source;
  source.repository = fs::current_path();
  if (!request.paths.empty()) {
    AMBIT_TRY(repository, indexer::Repository::open(source.repository));
    for (const auto& p : request.paths) {
      const auto full = fs::absolute(p).lexically_normal();
      if (full == repository.root() || full / "" == repository.root() / "") continue;
      AMBIT_TRY(path, path_in(repository.root(), full));
      while (path.ends_with('/')) path.pop_back();
      source.paths.push_back(std::move(path));
    }
  }
  switch (request.what) {
    case ReviewRequest::What::kStaged:
      source.scope = review::Scope::kStaged;
      // A hook's own index: .git/index.lock for `commit -a`, another file for `commit PATH`.
      if (const auto index = environment("GIT_INDEX_FILE"); !index.empty()) {
        source.index_file = fs::absolute(index);
      }
      source.parents = parents_from_environment();
      break;
    case ReviewRequest::What::kWorktree:
      source.scope = review::Scope::kWorktree;
      break;
    case ReviewRequest::What::kRange:
      source.scope = review::Scope::kRange;
      source.range = request.range;
      break;
    case ReviewRequest::What::kPatch: {
      source.scope = review::Scope::kPatch;
      constexpr std::uint64_t kMaxPatch = std::uint64_t{64} << 20;
      AMBIT_TRY(patch, request.patch_file == "-" ? all_of_stdin(kMaxPatch)
                                                 : read_file(request.patch_file, kMaxPatch));
      source.patch = std::move(patch);
      break;
    }
  }
  return source;
}

bool at_or_above(const std::vector<review::Finding>& findings, const std::string& level) {
  if (level == "none") return false;
  const auto least = level == "error"     ? Severity::kError
                     : level == "warning" ? Severity::kWarning
                                          : Severity::kInfo;
  return std::any_of(findings.begin(), findings.end(),
                     [&](const review::Finding& f) { return f.severity >= least; });
}

std::string formatted(const review::Report& report, const ReviewRequest& request) {
  if (request.format == "json") return review::format_json(report);
  if (request.format == "rdjson") return review::format_rdjson(report);
  if (request.format == "rdjsonl") return review::format_rdjsonl(report);
  if (request.format == "md") return review::format_markdown(report);
  if (request.format == "sarif") {
    return review::format_sarif(report, request.sarif_profile == "ai"
                                            ? review::SarifProfile::kAi
                                            : review::SarifProfile::kGitHub);
  }
  const bool colours = ::isatty(STDOUT_FILENO) != 0 && environment("NO_COLOR").empty() &&
                       environment("TERM") != "dumb";
  return review::format_text(report, colours);
}

void note_skipped(const review::ChangeSet& change, std::vector<std::string>& notes) {
  for (const auto& f : change.files) {
    if (!f.skipped.empty()) notes.push_back(f.path + " was not read: " + std::string(f.skipped));
  }
}

// What the daemon's model finds, added to `findings`. Small models are not asked at all.
Result<std::string> add_model_findings(const ReviewRequest& request, const review::Source& source,
                                       const review::ChangeSet& change, const Config& config,
                                       std::stop_token stop,
                                       std::vector<review::Finding>& findings) {
  AMBIT_TRY(info, model_before_loading(config));
  AMBIT_CHECK_OK(review::can_review(info));
  AMBIT_TRY(fd, connect_or_start(request.model));
  // When the time is up the stream closes, which cancels the request in the daemon.
  const std::stop_callback late(stop, [&fd] { ::shutdown(fd.get(), SHUT_RDWR); });
  nlohmann::json params{
      {"root", change.root.string()}, {"hook", request.in_hook}, {"paths", source.paths}};
  switch (source.scope) {
    case review::Scope::kStaged:
      params["scope"] = "staged";
      params["index_file"] = source.index_file.string();
      params["parents"] = source.parents;
      break;
    case review::Scope::kWorktree:
      params["scope"] = "worktree";
      break;
    case review::Scope::kRange:
      params["scope"] = "range";
      params["range"] = source.range;
      break;
    case review::Scope::kPatch:
      params["scope"] = "patch";
      params["patch"] = source.patch;
      break;
  }
  AMBIT_TRY(answer, ask_daemon(fd.get(), "ambit/review", params));
  try {
    for (const auto& item : answer.at("findings")) {
      review::Finding f;
      f.rule = "model";
      f.origin = review::Origin::kModel;
      f.path = item.at("path").get<std::string>();
      const auto* file = change.find(f.path);
      if (file == nullptr || !file->after) continue;
      f.range = {item.at("line").get<std::uint32_t>(), item.at("column").get<std::uint32_t>(),
                 item.at("end_line").get<std::uint32_t>(),
                 item.at("end_column").get<std::uint32_t>()};
      f.message = item.at("message").get<std::string>();
      f.explanation = item.at("explanation").get<std::string>();
      f.confidence = item.at("confidence").get<double>();
      review::complete_finding(f, file, file->after->text);
      findings.push_back(std::move(f));
    }
    const auto problem = answer.value("problem", std::string());
    if (!problem.empty()) return make_error(Code::kUnavailable, problem);
    return answer.value("model", std::string("model"));
  } catch (const nlohmann::json::exception&) {
    return make_error(Code::kCorrupt, "the daemon's review is not readable; update both programs");
  }
}

Result<int> reviewed(const ReviewRequest& request) {
  AMBIT_TRY(user, Config::load());
  AMBIT_TRY(source, source_of(request));
  AMBIT_TRY(change, review::load_change(source));
  review::Report report;
  const Config config = user.with_project(change.root, report.notes);
  const auto seconds =
      request.timeout_s > 0 ? request.timeout_s : config.integer("review.timeout_s");
  const Deadline deadline{std::chrono::seconds(seconds)};

  std::shared_ptr<const indexer::Snapshot> after;
  const bool anything = std::any_of(change.files.begin(), change.files.end(),
                                    [](const auto& f) { return f.skipped.empty(); });
  if (anything) {
    auto open = open_index(change.root.string(), config, deadline.token());
    if (open) {
      after = review::snapshot_after(change, open->index->snapshot());
    } else if (open.error().code != Code::kCancelled) {
      report.notes.push_back(open.error().message + ": callers were not checked");
    }
  }
  review::FactsOptions options;
  options.stop = deadline.token();
  auto facts = review::find_facts(change, after, options);
  if (!request.no_model && anything && !deadline.token().stop_requested()) {
    auto chosen = config;
    if (!request.model.empty()) {
      AMBIT_CHECK_OK(chosen.set("model", request.model, "command line"));
    }
    auto model =
        add_model_findings(request, source, change, chosen, deadline.token(), facts.findings);
    if (model) {
      report.model_used = true;
      report.model = std::move(*model);
      review::sort_findings(facts.findings);
    } else if (!(request.in_hook && model.error().code == Code::kUnsupported)) {
      report.notes.push_back(model.error().message);  // a hook does not say it at every commit
    }
  }
  const bool late = deadline.token().stop_requested();
  if (late) {
    report.notes.push_back("the time of " + std::to_string(seconds) +
                           " s was up before every rule had run (review.timeout_s)");
  }

  const fs::path baseline_file =
      request.baseline.empty() ? change.root / kDefaultBaseline : fs::path(request.baseline);
  AMBIT_TRY(baseline, review::Baseline::load(baseline_file));
  const auto dismissed_file = review::dismissals_file(change.root);
  auto dismissals = review::Baseline::load(dismissed_file);
  if (!dismissals) {
    report.notes.push_back(dismissals.error().message);
    dismissals = review::Baseline{};
  }
  if (!request.dismiss.empty()) {
    std::vector<review::Finding> chosen;
    for (const auto& f : facts.findings) {
      if (std::find(request.dismiss.begin(), request.dismiss.end(), f.fingerprint) !=
          request.dismiss.end()) {
        chosen.push_back(f);
      }
    }
    if (chosen.size() < request.dismiss.size()) {
      return make_error(Code::kNotFound, "this change has no such finding to dismiss");
    }
    if (dismissals->add(chosen)) AMBIT_CHECK_OK(dismissals->save(dismissed_file));
  }
  if (request.update_baseline) {
    review::Baseline none;
    (void)review::sift(facts.findings, change, none, none);
    baseline.add(facts.findings);
    AMBIT_CHECK_OK(baseline.save(baseline_file));
    std::fprintf(stderr, "ambit: %s holds %zu findings\n", baseline_file.c_str(), baseline.size());
    return static_cast<int>(kExitDone);
  }
  report.suppressed = review::sift(facts.findings, change, baseline, *dismissals).total();
  report.findings = std::move(facts.findings);
  report.change = change.name;
  report.root = change.root.string();
  report.files = change.files.size();
  report.added = change.added;
  report.removed = change.removed;
  note_skipped(change, report.notes);
  const auto text = formatted(report, request);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  const auto& level =
      request.fail_level.empty() ? config.text("review.fail_level") : request.fail_level;
  if (request.advisory) return static_cast<int>(kExitDone);
  if (at_or_above(report.findings, level)) return static_cast<int>(kExitFindings);
  return static_cast<int>(late && !request.in_hook ? kExitTimeout : kExitDone);
}

}  // namespace

int run_review(const ReviewRequest& request) {
  const auto result = reviewed(request);
  if (result) return *result;
  const int code = report(result.error());
  if (request.advisory) return kExitDone;
  if (request.in_hook && code != kExitUsage) {
    std::fputs("ambit: the commit was not reviewed\n", stderr);
    return kExitDone;
  }
  return code;
}

int review_command(const Arguments& arguments) {
  Options options("review", "[--staged|--worktree|--range A..B|--diff F|-] [options] [PATH…]",
                  "Review a change: facts from the index, and the model's findings.");
  ReviewRequest request;
  auto& staged = options.flag("--staged", "what `git commit` would record (the default)");
  auto& worktree = options.flag("--worktree", "what is changed and not staged yet");
  auto& range = options.text("--range", "", "A..B", "what lies between two revisions");
  auto& diff = options.text("--diff", "", "FILE", "a unified diff; - is stdin");
  auto& format = options.choice(
      "--format", "text", {"text", "json", "rdjson", "rdjsonl", "sarif", "md"}, "how to print");
  auto& profile = options.choice("--sarif-profile", "github", {"github", "ai"},
                                 "for code scanning, or with confidence and origin");
  auto& level = options.choice("--fail-level", "", {"", "none", "error", "warning", "info"},
                               "exit with 1 at or above this level (review.fail_level)");
  auto& baseline =
      options.text("--baseline", "", "FILE", "known findings (.ambit-baseline.json at the root)");
  auto& update = options.flag("--update-baseline", "add today's findings to the baseline");
  auto& dismiss = options.text("--dismiss", "", "FINGERPRINT[,…]", "never show these again here");
  auto& advisory = options.flag("--advisory", "print, and exit with 0 whatever is found");
  auto& timeout = options.integer("--timeout", 0, 0, 3600, "seconds (review.timeout_s)");
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  auto& no_model = options.flag("--no-model", "facts only");
  auto& paths = options.rest("PATH", Options::kOptional);
  if (auto done = options.parse(arguments)) return *done;
  const int given =
      (staged ? 1 : 0) + (worktree ? 1 : 0) + (range.empty() ? 0 : 1) + (diff.empty() ? 0 : 1);
  if (given > 1) return options.usage_error("say one of --staged, --worktree, --range, --diff");
  if (worktree) request.what = ReviewRequest::What::kWorktree;
  if (!range.empty()) request.what = ReviewRequest::What::kRange;
  if (!diff.empty()) request.what = ReviewRequest::What::kPatch;
  request.range = range;
  request.patch_file = diff;
  request.paths = paths;
  request.format = format;
  request.sarif_profile = profile;
  request.fail_level = level;
  request.baseline = baseline;
  request.update_baseline = update;
  request.advisory = advisory;
  request.timeout_s = timeout;
  request.model = model;
  request.no_model = no_model;
  for (std::size_t at = 0; at < dismiss.size();) {
    const auto end = std::min(dismiss.find(',', at), dismiss.size());
    if (end > at) request.dismiss.push_back(dismiss.substr(at, end - at));
    at = end + 1;
  }
  return run_review(request);
}

}  // namespace ambit::daemon
