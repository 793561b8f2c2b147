// `ambit refactor …`: the verbs, and what they share. Inside refactor*.cpp only.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "daemon/assists/refactor/journal.h"
#include "daemon/assists/refactor/plan.h"
#include "daemon/assists/refactor/store.h"
#include "daemon/cli/command.h"

namespace ambit::daemon {

struct RefactorHome {
  std::filesystem::path root;
  Journal journal;
  PlanStore store;
};

// The repository around the current folder, with what a dead process left there put right.
[[nodiscard]] Result<RefactorHome> open_refactor_home();
// The files as they are; keeps a reference to the journal.
[[nodiscard]] FileReader disk_reader(const Journal& journal);

[[nodiscard]] nlohmann::json plan_json(const Plan& plan, const PlanStore& store);
void print_plan(const Plan& plan);
[[nodiscard]] std::vector<std::string> split_commas(const std::string& text);

int refactor_plan_verb(const Arguments& arguments);
int refactor_preview_verb(const Arguments& arguments);
int refactor_show_verb(const Arguments& arguments);
int refactor_verify_verb(const Arguments& arguments);
int refactor_apply_verb(const Arguments& arguments);
int refactor_undo_verb(const Arguments& arguments);

}  // namespace ambit::daemon
