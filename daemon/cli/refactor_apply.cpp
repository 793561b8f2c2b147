// `ambit refactor verify`, `apply` and `undo`: what changes the tree, or a copy of it.
#include <algorithm>
#include <cstdio>
#include <set>

#include "daemon/assists/refactor/verify.h"
#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/refactor_verbs.h"
#include "daemon/config.h"
#include "daemon/paths.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

// The command that was given, else the one that is remembered of this repository, else the
// setting's; none with "".
Result<std::vector<std::string>> verify_words(const RefactorHome& home, const Options& options,
                                              const std::string& given) {
  if (!options.given("--verify")) {
    if (auto remembered = home.store.verify_command(); !remembered.empty()) return remembered;
    AMBIT_TRY(config, Config::load());
    const auto setting = config.text("refactor.verify");
    if (setting.empty()) return std::vector<std::string>();
    return split_command(setting);
  }
  if (given.empty()) return std::vector<std::string>();
  AMBIT_TRY(words, split_command(given));
  AMBIT_CHECK_OK(home.store.remember_verify_command(words));
  return words;
}

json verdict_json(const Verdict& v) {
  return {{"passed", v.passed},
          {"summary", v.summary},
          {"failures", v.failures},
          {"seconds", v.seconds},
          {"baseline_cached", v.baseline_cached}};
}

void print_verdict(const Verdict& v, const Plan& plan) {
  std::printf("%s: %s\n", v.passed ? "passed" : "failed", v.summary.c_str());
  for (const auto& f : v.failures) std::printf("  %s\n", f.c_str());
  for (const auto& s : plan.steps) {
    if (s.dropped) std::printf("dropped: %s (%s)\n", s.title.c_str(), s.reason.c_str());
  }
}

constexpr std::string_view kTrialUsage = "[PLAN] [--verify CMD] [--timeout S] [--json]";

// A plan, and the command that tries it in a copy: what `verify` and `apply` begin with.
struct Trial {
  std::optional<RefactorHome> home;
  Plan plan;
  std::vector<std::string> command;
  std::int64_t timeout = 0;  // seconds
  bool as_json = false;

  // nullopt: go on; otherwise the exit code.
  std::optional<int> open(Options& options, const Arguments& arguments) {
    const auto& name = options.positional("PLAN", Options::kOptional);
    const auto& given =
        options.text("--verify", "", "CMD",
                     "build or test command, run without a shell; remembered, \"\" for none");
    const auto& seconds = options.integer("--timeout", 3600, 1, 86'400, "seconds for one run");
    const auto& json_flag = options.flag("--json", "print one JSON document");
    if (auto done = options.parse(arguments)) return *done;
    timeout = seconds;
    as_json = json_flag;
    auto opened = open_refactor_home();
    if (!opened) return report(opened.error());
    home.emplace(std::move(*opened));
    auto loaded = home->store.load(name);
    if (!loaded) return report(loaded.error());
    plan = std::move(*loaded);
    auto words = verify_words(*home, options, given);
    if (!words) return report(words.error());
    command = std::move(*words);
    return std::nullopt;
  }

  // Steps that fail are dropped from the plan, which is saved then.
  Result<Verdict> run() {
    AMBIT_TRY(scratch, Scratch::prepare(home->root, cache_directory()));
    AMBIT_TRY(verdict, verify_plan(plan, disk_reader(home->journal), scratch, command, timeout, {},
                                   [](std::string_view line) {
                                     std::fprintf(stderr, "ambit: %.*s\n",
                                                  static_cast<int>(line.size()), line.data());
                                   }));
    if (std::any_of(plan.steps.begin(), plan.steps.end(),
                    [](const PlanStep& s) { return s.dropped; })) {
      AMBIT_TRY(file, home->store.save(plan));
    }
    return verdict;
  }
};

}  // namespace

int refactor_verify_verb(const Arguments& arguments) {
  Options options("refactor verify", kTrialUsage,
                  "Tries the plan in a copy of the repository: every file must parse as well as "
                  "before, and the\ncommand must fail in nothing in which it did not fail before. "
                  "Steps that fail are dropped.");
  Trial trial;
  if (auto done = trial.open(options, arguments)) return *done;
  const auto verdict = trial.run();
  if (!verdict) return report(verdict.error());
  if (trial.as_json) {
    auto out = verdict_json(*verdict);
    out["plan"] = plan_json(trial.plan, trial.home->store);
    print_json(out);
  } else {
    print_verdict(*verdict, trial.plan);
  }
  return verdict->passed ? kExitDone : kExitFindings;
}

int refactor_apply_verb(const Arguments& arguments) {
  Options options("refactor apply", kTrialUsage,
                  "Carries a plan out, whole or not at all; `ambit refactor undo` takes it back at "
                  "any time. With a\ncommand it is tried in a copy first.");
  Trial trial;
  if (auto done = trial.open(options, arguments)) return *done;
  json out;
  if (!trial.command.empty()) {
    const auto verdict = trial.run();
    if (!verdict) return report(verdict.error());
    out["verify"] = verdict_json(*verdict);
    if (!trial.as_json) print_verdict(*verdict, trial.plan);
    if (!verdict->passed) {
      if (trial.as_json) print_json(out);
      return kExitFindings;
    }
  }
  const auto& plan = trial.plan;
  auto& journal = trial.home->journal;
  const auto changes = plan_changes(plan, disk_reader(journal));
  if (!changes) return report(changes.error());
  ApplyRequest request;
  request.title = plan.instruction;
  request.plan = plan.id;
  const auto id = journal.apply(*changes, request);
  if (!id) return report(id.error());
  if (trial.as_json) {
    out["id"] = *id;
    out["plan"] = plan.id;
    out["files"] = json::array();
    for (const auto& [path, c] : *changes) out["files"].push_back(path);
    print_json(out);
  } else {
    std::printf("changed %zu files; ambit refactor undo %s takes it back\n", changes->size(),
                id->c_str());
  }
  return kExitDone;
}

int refactor_undo_verb(const Arguments& arguments) {
  Options options("refactor undo", "[CHANGE|PLAN] [--hunks N,…] [--json]",
                  "Takes a change back (the newest without a name). What you changed since stays; "
                  "where both changed the\nsame words, yours stay and the place is said (exit "
                  "code 1).");
  auto& name = options.positional("CHANGE", Options::kOptional);
  auto& hunks = options.text("--hunks", "", "N,…", "only these, as `ambit refactor show` counts");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  std::set<std::size_t> wanted;
  for (const auto& h : split_commas(hunks)) {
    if (h.size() > 9 || h.find_first_not_of("0123456789") != std::string::npos || h == "0") {
      return options.usage_error("--hunks takes numbers from 1");
    }
    wanted.insert(std::stoul(h));
  }
  auto home = open_refactor_home();
  if (!home) return report(home.error());
  const auto entry = home->journal.entry(name);
  if (!entry) return report(entry.error());
  const auto undo = plan_undo(*entry, disk_reader(home->journal), wanted);
  if (!undo) return report(undo.error());
  std::string id;
  if (!undo->changes.empty()) {
    ApplyRequest request;
    request.title = "undo " + entry->title;
    request.undoes = entry->id;
    request.part = !wanted.empty();
    request.folders = entry->folders;
    const auto applied = home->journal.apply(undo->changes, request);
    if (!applied) return report(applied.error());
    id = *applied;
  }
  json conflicts = json::array();
  for (const auto& c : undo->conflicts) {
    conflicts.push_back({{"path", c.path}, {"line", c.line + 1}, {"reason", c.reason}});
    if (!as_json) {
      std::printf("%s:%u: %s; left as you have it\n", c.path.c_str(), c.line + 1, c.reason.c_str());
    }
  }
  if (as_json) {
    print_json({{"id", id.empty() ? json() : json(id)},
                {"undoes", entry->id},
                {"files", undo->changes.size()},
                {"hunks", undo->hunks},
                {"already", undo->already},
                {"conflicts", conflicts}});
  } else {
    std::printf("took back %zu hunks in %zu files%s\n", undo->hunks, undo->changes.size(),
                undo->already > 0 ? "; the others were taken back before" : "");
  }
  return undo->conflicts.empty() ? kExitDone : kExitFindings;
}

}  // namespace ambit::daemon
