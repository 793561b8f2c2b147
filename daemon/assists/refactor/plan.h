// A refactor before it happens: steps, each by the index or by the model, over files whose content
// is known. Kept as a TOML file that a person can read, edit and commit; whatever stands in it is
// checked again when it is carried out, so an edited or hostile plan can do no more than change
// text in the files that it names.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/edits.h"
#include "daemon/assists/refactor/rename.h"

namespace ambit::daemon {

enum class PlanAuthor { kIndex, kModel };

// 1-based line and column (UTF-8 bytes) of a name to replace, as the plan file says it: "12:5".
struct PlanSite {
  std::uint32_t line = 1, column = 1;
  // "keep-key": `name` becomes `name: new`; "keep-value": `name` becomes `new: name`.
  std::string form;
  std::string note;  // why it is not sure
  friend bool operator==(const PlanSite&, const PlanSite&) = default;
};

struct PlanEdit {
  std::optional<PlanSite> at;  // none: old stands exactly once in the file
  std::string old_text, new_text;
  friend bool operator==(const PlanEdit&, const PlanEdit&) = default;
};

struct PlanFile {
  std::string path;
  std::string blob;  // hex of the content that the plan was made from; "": any
  std::vector<PlanSite> change, unsure, comments, strings;  // of a rename
  std::vector<PlanEdit> edits;
  std::optional<std::string> create;  // the whole content of a new file
  bool remove = false;
  // The file is new and begins as that one, whose blob this is; `edits` are of that text.
  std::string from;
  friend bool operator==(const PlanFile&, const PlanFile&) = default;
};

struct PlanStep {
  std::string title;
  PlanAuthor author = PlanAuthor::kIndex;
  std::string old_name, new_name;                    // of a rename, else ""
  bool with_comments = false, with_strings = false;  // of a rename: change these places too
  bool dropped = false;                              // stays in the file, is not carried out
  std::string reason;                                // why it was dropped
  std::vector<PlanFile> files;
  friend bool operator==(const PlanStep&, const PlanStep&) = default;
};

struct Plan {
  std::string id;
  std::string instruction;
  std::string tree;  // what the index called the state of the repository
  std::vector<std::string> notes;
  std::vector<PlanStep> steps;
  friend bool operator==(const Plan&, const Plan&) = default;
};

[[nodiscard]] std::string new_plan_id();
[[nodiscard]] std::string to_toml(const Plan& plan);
// kInvalidArgument with the line; bounded (64 MiB, 20,000 files, 1,000,000 places).
[[nodiscard]] Result<Plan> parse_plan(std::string_view text);

// The text of a file as the plan will find it, nullopt when there is none.
using FileReader = std::function<Result<std::optional<std::string>>(const std::string& path)>;

// What the plan does to the files: everything that can be checked without writing. Steps in `skip`
// and dropped ones are left out. kInvalidArgument when a file is not what the plan was made from,
// places overlap, or a file would parse worse than before; kPermission for paths outside.
[[nodiscard]] Result<ChangeSet> plan_changes(const Plan& plan, const FileReader& read,
                                             const std::set<std::size_t>& skip = {});

[[nodiscard]] PlanStep rename_step(const Rename& rename, bool comments, bool strings);

struct PlanCount {
  std::size_t files = 0, places = 0, unsure = 0, comments = 0, strings = 0;
};
[[nodiscard]] PlanCount count(const PlanStep& step);

}  // namespace ambit::daemon
