// The review that needs no model: rules over the change and the index. Each rule is a plain
// function; precision comes before recall, and what a rule cannot tell for sure it does not say.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/assists/review/change.h"
#include "daemon/assists/review/finding.h"
#include "daemon/assists/review/lexical.h"
#include "indexer/file_class.h"
#include "indexer/index.h"

namespace ambit::daemon::review {

struct FactsOptions {
  std::stop_token stop;  // what was found until then is returned, with `complete` false
  std::size_t max_per_file = 50;
};

struct Facts {
  std::vector<Finding> findings;  // sorted, without duplicates, with fingerprints and snippets
  bool complete = true;           // false: stopped, or there was no index
  std::string note;               // why it is not complete
};

// after: what snapshot_after() gave; null: rules that look beyond the change are left out.
[[nodiscard]] Facts find_facts(const ChangeSet& change,
                               const std::shared_ptr<const indexer::Snapshot>& after,
                               const FactsOptions& options = {});

// What the rules share.
struct RuleContext {
  const ChangeSet& change;
  const indexer::Snapshot* after = nullptr;
  std::stop_token stop;
  std::vector<Finding>& out;
};

// One file each, without the index.
void rule_conflict_markers(const ChangedFile& file, std::vector<Finding>& out);
void rule_secrets(const ChangedFile& file, std::vector<Finding>& out);
void rule_debug_leftovers(const ChangedFile& file, std::vector<Finding>& out);
void rule_tests_switched(const ChangedFile& file, std::vector<Finding>& out);
void rule_merge_leftovers(const ChangedFile& file, std::vector<Finding>& out);
void rule_parse_errors(const ChangedFile& file, std::vector<Finding>& out);
void rule_duplicate_definitions(const ChangedFile& file, std::vector<Finding>& out);
// The change against the repository after it.
void rule_removed_symbols(RuleContext& context);
void rule_moved_symbols(RuleContext& context);
void rule_changed_signatures(RuleContext& context);
void rule_missing_files(RuleContext& context);
void rule_removed_tests(RuleContext& context);

// The brackets of a file that were even before the change and are no longer.
[[nodiscard]] std::optional<Balance> brackets_lost(const ChangedFile& file);
// Whether what `after` defines may be swallowed by an error.
[[nodiscard]] bool hides_definitions(const ChangedFile& file);
using indexer::is_test_path;
// A range that covers a line from its first to its last byte without the white space around.
[[nodiscard]] Range whole_line(std::string_view text, const std::vector<std::uint32_t>& starts,
                               std::uint32_t line);
// "scope.name" of the innermost definition around a byte; "" at file level.
[[nodiscard]] std::string symbol_around(const ChangedFile& file, std::uint32_t offset);
// Fills symbol, snippet and fingerprint from the file that the finding is in; text: its content.
void complete_finding(Finding& finding, const ChangedFile* file, std::string_view text);

}  // namespace ambit::daemon::review
