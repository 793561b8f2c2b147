// `ambit refactor plan|show|preview|apply|verify|undo|list`: changes over the whole repository from
// a shell. Works on the disk; open editors see it as a change of their files.
#include <array>
#include <cstdio>

#include "daemon/assists/refactor/journal_guard.h"
#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/refactor_verbs.h"
#include "daemon/cli/verbs.h"

namespace ambit::daemon {
namespace {

using nlohmann::json;

int list_verb(const Arguments& arguments) {
  Options options("refactor list", "[--json]", "Plans, and the changes that were applied.");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto home = open_refactor_home();
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

constexpr std::array kVerbs{
    Command{"plan", "what a rename, a move or a signature would change", refactor_plan_verb},
    Command{"show", "a plan once more", refactor_show_verb},
    Command{"preview", "the diff of a plan", refactor_preview_verb},
    Command{"verify", "try a plan in a copy: does it build, do its tests pass",
            refactor_verify_verb},
    Command{"apply", "a plan whole, or not at all", refactor_apply_verb},
    Command{"undo", "take a change back", refactor_undo_verb},
    Command{"list", "changes and plans", list_verb},
    Command{"guard", "ends what a killed change began", guard_verb, true},
};

}  // namespace

int refactor_command(const Arguments& arguments) {
  return run_subcommand("refactor", kVerbs, arguments);
}

}  // namespace ambit::daemon
