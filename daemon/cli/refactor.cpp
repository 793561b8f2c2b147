// `ambit refactor plan|show|preview|apply|verify|undo|list`: changes over the whole repository from
// a shell. Works on the disk; open editors see it as a change of their files.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "daemon/assists/ask.h"
#include "daemon/assists/refactor/journal.h"
#include "daemon/assists/refactor/journal_guard.h"
#include "daemon/assists/refactor/refactor.h"
#include "daemon/assists/refactor/store.h"
#include "daemon/assists/refactor/verify.h"
#include "daemon/cli/daemon_client.h"
#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/config.h"
#include "daemon/paths.h"
#include "daemon/session/documents.h"
#include "daemon/support/file.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {
namespace {

using nlohmann::json;

struct Home {
  std::filesystem::path root;
  Journal journal;
  PlanStore store;
};

// The repository around the current folder, with what a dead process left there put right.
Result<Home> open_home(const std::string& folder) {
  AMBIT_TRY(repository, indexer::Repository::open(folder.empty() ? std::filesystem::current_path()
                                                                 : std::filesystem::path(folder)));
  if (repository.is_bare()) {
    return make_error(Code::kUnsupported, "a bare repository has no files to change");
  }
  AMBIT_TRY(journal, Journal::open(repository.root(), state_directory()));
  AMBIT_TRY(store, PlanStore::open(repository.root(), state_directory()));
  journal.guard_with(executable());
  AMBIT_TRY(said, journal.recover());
  for (const auto& line : said) std::fprintf(stderr, "ambit: %s\n", line.c_str());
  return Home{repository.root(), std::move(journal), std::move(store)};
}

FileReader disk_reader(const Journal& journal) {
  return [&journal](const std::string& path) -> Result<std::optional<std::string>> {
    AMBIT_TRY(state, journal.tree().look(path));
    if (state.kind == FileState::kMissing) return std::optional<std::string>();
    AMBIT_TRY(text, journal.tree().read(path));
    return std::optional<std::string>(std::move(text));
  };
}

json step_json(const PlanStep& s) {
  const auto n = count(s);
  json files = json::array();
  for (const auto& f : s.files) {
    files.push_back({{"path", f.path},
                     {"places", f.change.size() + f.edits.size()},
                     {"unsure", f.unsure.size()}});
  }
  return {{"title", s.title},        {"by", s.author == PlanAuthor::kModel ? "model" : "index"},
          {"files", n.files},        {"places", n.places},
          {"unsure", n.unsure},      {"in_comments", n.comments},
          {"in_strings", n.strings}, {"dropped", s.dropped},
          {"reason", s.reason},      {"paths", std::move(files)}};
}

json plan_json(const Plan& p, const PlanStore& store) {
  json steps = json::array();
  for (const auto& s : p.steps) steps.push_back(step_json(s));
  return {{"id", p.id},       {"instruction", p.instruction},         {"tree", p.tree},
          {"notes", p.notes}, {"file", store.file_of(p.id).string()}, {"steps", std::move(steps)}};
}

void print_plan(const Plan& p) {
  for (std::size_t i = 0; i < p.steps.size(); ++i) {
    const auto& s = p.steps[i];
    const auto n = count(s);
    std::printf("%zu. %s%s\n   by the %s: %zu places in %zu files\n", i + 1, s.title.c_str(),
                s.dropped ? " (dropped)" : "", s.author == PlanAuthor::kModel ? "model" : "index",
                n.places, n.files);
    if (s.dropped && !s.reason.empty()) std::printf("   dropped: %s\n", s.reason.c_str());
    if (n.unsure > 0) {
      std::printf("   %zu places may mean it too and stay as they are:\n", n.unsure);
      std::size_t shown = 0;
      for (const auto& f : s.files) {
        for (const auto& u : f.unsure) {
          if (++shown > 10) break;
          std::printf("     %s:%u:%u  %s\n", f.path.c_str(), u.line, u.column, u.note.c_str());
        }
      }
      if (shown > 10) std::printf("     … all are in the plan file\n");
    }
    if (!s.old_name.empty() && n.comments + n.strings > 0) {
      std::printf("   also in comments: %zu%s, in strings: %zu%s\n", n.comments,
                  s.with_comments ? "" : " (--comments changes them)", n.strings,
                  s.with_strings ? "" : " (--strings changes them)");
    }
  }
  for (const auto& n : p.notes) std::printf("note: %s\n", n.c_str());
}

// What the daemon's model proposes. Small models are not asked at all.
Result<Plan> plan_of_daemon(const std::filesystem::path& root, const Config& config,
                            const RefactorRequest& request, const std::string& model) {
  AMBIT_TRY(info, model_before_loading(config));
  AMBIT_CHECK_OK(can_judge(info, "changes that need judgement"));
  AMBIT_TRY(fd, connect_or_start(model));
  const json params{{"root", root.string()},          {"instruction", request.instruction},
                    {"paths", request.paths},         {"at_path", request.at_path},
                    {"at_offset", request.at_offset}, {"comments", request.comments},
                    {"strings", request.strings}};
  AMBIT_TRY(answer, ask_daemon(fd.get(), "ambit/plan", params));
  const auto text = answer.is_object() ? answer.value("plan", std::string()) : std::string();
  return parse_plan(text);
}

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

int plan_verb(const Arguments& arguments) {
  Options options(
      "refactor plan", "\"INSTRUCTION\" [--paths P,…] [--at FILE:LINE:COL] [--json]",
      "Plans a change over the repository. `rename A to B`, `add parameter \"DECL\" to F "
      "with VALUE`\nand `remove parameter P from F` are done by the index, exactly; "
      "anything else asks the model.");
  auto& instruction = options.positional("INSTRUCTION", Options::kRequired);
  auto& paths = options.text("--paths", "", "P,…", "only below these files and folders");
  auto& at = options.text("--at", "", "FILE:LINE:COL", "where the symbol stands");
  auto& comments = options.flag("--comments", "rename in comments too");
  auto& strings = options.flag("--strings", "rename in strings too");
  auto& output = options.text("--output", "", "FILE", "also write the plan here, to be committed");
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto home = open_home("");
  if (!home) return report(home.error());
  auto config = Config::load();
  if (!config) return report(config.error());
  if (!model.empty()) {
    const auto set = config->set("model", model, "--model");
    if (!set) return report(set.error());
  }
  auto open = open_index(home->root.string(), *config);
  if (!open) return report(open.error());
  const auto snapshot = open->index->snapshot();
  RefactorRequest request;
  request.instruction = instruction;
  request.comments = comments;
  request.strings = strings;
  for (const auto& p : split_commas(paths)) {
    auto inside = path_in(home->root, std::filesystem::absolute(p));
    if (!inside) return report(inside.error());
    request.paths.push_back(*inside);
  }
  if (!at.empty()) {
    const auto where = parse_position(at);
    if (!where) return report(where.error());
    auto inside = path_in(home->root, where->file);
    if (!inside) return report(inside.error());
    const auto text = snapshot->text(*inside);
    if (!text) return report(text.error());
    request.at_path = *inside;
    request.at_offset = static_cast<std::uint32_t>(
        offset_at(*text, {where->line - 1, where->column - 1}, PositionEncoding::kUtf8));
  }
  auto plan = plan_by_index(*snapshot, request);
  if (!plan && plan.error().code == Code::kUnsupported) {
    auto made = plan_of_daemon(home->root, *config, request, model);
    if (!made && made.error().code == Code::kUnsupported) {
      return report(make_error(Code::kUnavailable,
                               plan.error().message + plain_forms() + made.error().message));
    }
    plan = std::move(made);
  }
  if (!plan) return report(plan.error());
  // Whatever cannot be carried out is said now, not later.
  const auto changes = plan_changes(*plan, reader_of(*snapshot));
  if (!changes) return report(changes.error());
  const auto file = home->store.save(*plan);
  if (!file) return report(file.error());
  if (!output.empty()) {
    const auto written = file_system().replace(output, to_toml(*plan), 0644);
    if (!written) return report(written.error());
  }
  if (as_json) {
    print_json(plan_json(*plan, home->store));
  } else {
    print_plan(*plan);
    std::printf("plan %s (%s)\nnext: ambit refactor preview, ambit refactor apply\n",
                plan->id.c_str(), file->c_str());
  }
  return kExitDone;
}

int show_verb(const Arguments& arguments) {
  Options options("refactor show", "[PLAN|CHANGE] [--json]",
                  "A plan (an id or a file; the newest without one), or the numbered hunks of a "
                  "change that was applied.");
  auto& name = options.positional("PLAN", Options::kOptional);
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto home = open_home("");
  if (!home) return report(home.error());
  const auto plan = home->store.load(name);
  if (plan) {
    if (as_json) {
      print_json(plan_json(*plan, home->store));
    } else {
      print_plan(*plan);
    }
    return kExitDone;
  }
  if (name.empty() || plan.error().code != Code::kNotFound) return report(plan.error());
  const auto entry = home->journal.entry(name);
  if (!entry) return report(entry.error());
  const auto hunks = hunks_of(*entry);
  if (!hunks) return report(hunks.error());
  json list = json::array();
  for (std::size_t i = 0; i < hunks->size(); ++i) {
    const auto& h = (*hunks)[i];
    if (as_json) {
      list.push_back({{"hunk", i + 1},
                      {"path", h.path},
                      {"line", h.line + 1},
                      {"removed", h.removed},
                      {"added", h.added}});
    } else {
      std::printf("%4zu  %s:%u\n", i + 1, h.path.c_str(), h.line + 1);
    }
  }
  if (as_json) print_json({{"id", entry->id}, {"title", entry->title}, {"hunks", list}});
  return kExitDone;
}

int preview_verb(const Arguments& arguments) {
  Options options("refactor preview", "[PLAN] [--json]", "The plan as a unified diff.");
  auto& name = options.positional("PLAN", Options::kOptional);
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto home = open_home("");
  if (!home) return report(home.error());
  const auto plan = home->store.load(name);
  if (!plan) return report(plan.error());
  const auto changes = plan_changes(*plan, disk_reader(home->journal));
  if (!changes) return report(changes.error());
  const auto diff = unified_diff_of(*changes);
  if (!diff) return report(diff.error());
  if (as_json) {
    json files = json::array();
    for (const auto& [path, c] : *changes) files.push_back(path);
    print_json({{"id", plan->id}, {"files", files}, {"diff", *diff}});
  } else {
    std::fwrite(diff->data(), 1, diff->size(), stdout);
  }
  return kExitDone;
}

// The command that was given, else the one that is remembered of this repository, else the
// setting's; none with "".
Result<std::vector<std::string>> verify_words(const Home& home, const Options& options,
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

Result<Verdict> verified(Home& home, Plan& plan, const std::vector<std::string>& command,
                         std::int64_t timeout) {
  AMBIT_TRY(scratch, Scratch::prepare(home.root, cache_directory()));
  AMBIT_TRY(verdict, verify_plan(plan, disk_reader(home.journal), scratch, command, timeout, {},
                                 [](std::string_view line) {
                                   std::fprintf(stderr, "ambit: %.*s\n",
                                                static_cast<int>(line.size()), line.data());
                                 }));
  if (std::any_of(plan.steps.begin(), plan.steps.end(),
                  [](const PlanStep& s) { return s.dropped; })) {
    AMBIT_TRY(file, home.store.save(plan));
  }
  return verdict;
}

void print_verdict(const Verdict& v, const Plan& plan) {
  std::printf("%s: %s\n", v.passed ? "passed" : "failed", v.summary.c_str());
  for (const auto& f : v.failures) std::printf("  %s\n", f.c_str());
  for (const auto& s : plan.steps) {
    if (s.dropped) std::printf("dropped: %s (%s)\n", s.title.c_str(), s.reason.c_str());
  }
}

constexpr std::string_view kVerifyHelp =
    "build or test command, run without a shell; remembered, \"\" for none";

int verify_verb(const Arguments& arguments) {
  Options options("refactor verify", "[PLAN] [--verify CMD] [--timeout S] [--json]",
                  "Tries the plan in a copy of the repository: every file must parse as well as "
                  "before, and the\ncommand must fail in nothing in which it did not fail before. "
                  "Steps that fail are dropped.");
  auto& name = options.positional("PLAN", Options::kOptional);
  auto& command = options.text("--verify", "", "CMD", kVerifyHelp);
  auto& timeout = options.integer("--timeout", 3600, 1, 86'400, "seconds for one run");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  auto home = open_home("");
  if (!home) return report(home.error());
  auto plan = home->store.load(name);
  if (!plan) return report(plan.error());
  const auto words = verify_words(*home, options, command);
  if (!words) return report(words.error());
  const auto verdict = verified(*home, *plan, *words, timeout);
  if (!verdict) return report(verdict.error());
  if (as_json) {
    auto out = verdict_json(*verdict);
    out["plan"] = plan_json(*plan, home->store);
    print_json(out);
  } else {
    print_verdict(*verdict, *plan);
  }
  return verdict->passed ? kExitDone : kExitFindings;
}

int apply_verb(const Arguments& arguments) {
  Options options("refactor apply", "[PLAN] [--verify CMD] [--timeout S] [--json]",
                  "Carries a plan out, whole or not at all; `ambit refactor undo` takes it back at "
                  "any time. With a\ncommand it is tried in a copy first.");
  auto& name = options.positional("PLAN", Options::kOptional);
  auto& command = options.text("--verify", "", "CMD", kVerifyHelp);
  auto& timeout = options.integer("--timeout", 3600, 1, 86'400, "seconds for one run");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  auto home = open_home("");
  if (!home) return report(home.error());
  auto plan = home->store.load(name);
  if (!plan) return report(plan.error());
  const auto words = verify_words(*home, options, command);
  if (!words) return report(words.error());
  json out;
  if (!words->empty()) {
    const auto verdict = verified(*home, *plan, *words, timeout);
    if (!verdict) return report(verdict.error());
    out["verify"] = verdict_json(*verdict);
    if (!as_json) print_verdict(*verdict, *plan);
    if (!verdict->passed) {
      if (as_json) print_json(out);
      return kExitFindings;
    }
  }
  const auto changes = plan_changes(*plan, disk_reader(home->journal));
  if (!changes) return report(changes.error());
  ApplyRequest request;
  request.title = plan->instruction;
  request.plan = plan->id;
  const auto id = home->journal.apply(*changes, request);
  if (!id) return report(id.error());
  if (as_json) {
    out["id"] = *id;
    out["plan"] = plan->id;
    out["files"] = json::array();
    for (const auto& [path, c] : *changes) out["files"].push_back(path);
    print_json(out);
  } else {
    std::printf("changed %zu files; ambit refactor undo %s takes it back\n", changes->size(),
                id->c_str());
  }
  return kExitDone;
}

int undo_verb(const Arguments& arguments) {
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
  auto home = open_home("");
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
    std::printf("took back %zu hunks in %zu files\n", undo->hunks, undo->changes.size());
  }
  return undo->conflicts.empty() ? kExitDone : kExitFindings;
}

int list_verb(const Arguments& arguments) {
  Options options("refactor list", "[--json]", "Plans, and the changes that were applied.");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto home = open_home("");
  if (!home) return report(home.error());
  const auto entries = home->journal.list();
  if (!entries) return report(entries.error());
  json changes = json::array(), plans = json::array();
  for (const auto& e : *entries) {
    const char* state = e.state == EntryState::kApplied ? "applied" : "taken back";
    changes.push_back({{"id", e.id},
                       {"plan", e.plan},
                       {"title", e.title},
                       {"undoes", e.undoes},
                       {"created", e.created},
                       {"files", e.files.size()},
                       {"state", state}});
    if (!as_json) {
      std::printf("%s  %-10s %4zu files  %s\n", e.id.c_str(), state, e.files.size(),
                  e.title.c_str());
    }
  }
  for (const auto& id : home->store.list()) {
    const auto plan = home->store.load(id);
    if (!plan) continue;
    plans.push_back({{"id", id}, {"instruction", plan->instruction}});
    if (!as_json) std::printf("plan %s  %s\n", id.c_str(), plan->instruction.c_str());
  }
  if (as_json) print_json({{"changes", changes}, {"plans", plans}});
  return kExitDone;
}

// For the program itself (journal_guard.h): not in the help.
int guard_verb(const Arguments& arguments) {
  if (arguments.size() != 2) return kExitUsage;
  return guard_journal(arguments[0], arguments[1]);
}

struct Verb {
  std::string_view name;
  int (*run)(const Arguments&);
};
constexpr Verb kVerbs[] = {
    {"plan", plan_verb},     {"show", show_verb}, {"preview", preview_verb}, {"apply", apply_verb},
    {"verify", verify_verb}, {"undo", undo_verb}, {"list", list_verb},       {"guard", guard_verb}};

}  // namespace

int refactor_command(const Arguments& arguments) {
  for (const auto& v : kVerbs) {
    if (!arguments.empty() && arguments[0] == v.name) {
      return v.run(Arguments(arguments.begin() + 1, arguments.end()));
    }
  }
  Options options("refactor", "plan|show|preview|apply|verify|undo|list …",
                  "Changes over the whole repository: planned, previewed, tried in a copy, applied "
                  "whole or not at all,\nand taken back at any time.");
  if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h")) {
    return options.parse(arguments).value_or(kExitDone);
  }
  return options.usage_error("say plan, show, preview, apply, verify, undo or list first");
}

}  // namespace ambit::daemon
