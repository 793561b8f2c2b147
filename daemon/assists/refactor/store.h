// Where plans lie until they are carried out, and what is remembered for a repository: below the
// state directory, owner only.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/assists/refactor/plan.h"

namespace ambit::daemon {

class PlanStore {
 public:
  [[nodiscard]] static Result<PlanStore> open(const std::filesystem::path& root,
                                              const std::filesystem::path& state);
  [[nodiscard]] Result<std::filesystem::path> save(const Plan& plan) const;
  // By id, by the path of a plan file (a word with '/' or ending in .toml), or "": the newest.
  [[nodiscard]] Result<Plan> load(const std::string& name) const;
  [[nodiscard]] std::filesystem::path file_of(const std::string& id) const;
  // Ids, newest first.
  [[nodiscard]] std::vector<std::string> list() const;
  // The command that checks this repository, as words; empty when none was given yet. From this
  // user only: a repository cannot bring one.
  [[nodiscard]] std::vector<std::string> verify_command() const;
  [[nodiscard]] Result<void> remember_verify_command(const std::vector<std::string>& words) const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  explicit PlanStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
};

}  // namespace ambit::daemon
