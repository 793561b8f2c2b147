// `ambit refactor plan|show|preview|apply|verify|undo|list`: changes over the whole repository from
// a shell. Works on the disk; open editors see it as a change of their files.
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

struct Verb {
  std::string_view name;
  int (*run)(const Arguments&);
};
constexpr Verb kVerbs[] = {{"plan", refactor_plan_verb},
                           {"show", refactor_show_verb},
                           {"preview", refactor_preview_verb},
                           {"apply", refactor_apply_verb},
                           {"verify", refactor_verify_verb},
                           {"undo", refactor_undo_verb},
                           {"list", list_verb},
                           {"guard", guard_verb}};

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
