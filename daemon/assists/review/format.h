// One finding model, five outputs. Every function returns the whole output, ending with a line end.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "daemon/assists/review/finding.h"

namespace ambit::daemon::review {

struct Report {
  std::vector<Finding> findings;  // sorted
  std::string change;             // which trees were compared
  std::string root;               // of the work tree
  std::size_t files = 0;          // that the change touches
  std::uint32_t added = 0, removed = 0;
  std::size_t suppressed = 0;      // decided about earlier
  std::vector<std::string> notes;  // what was not looked at, and why
  bool model_used = false;
  std::string model;  // its name, when it was used
};

// For people: path:line:col, severity, message, the lines with what is meant underlined, the fix.
[[nodiscard]] std::string format_text(const Report& report, bool colours);
// Our own: {findings: […], summary: {…}}. Lines and columns are 1-based, columns in UTF-8 bytes,
// the end exclusive.
[[nodiscard]] std::string format_json(const Report& report);
// reviewdog's diagnostic format, one document or one diagnostic a line.
[[nodiscard]] std::string format_rdjson(const Report& report);
[[nodiscard]] std::string format_rdjsonl(const Report& report);
// SARIF 2.1.0. kGitHub is what code scanning reads (partialFingerprints); kAi says where each
// finding comes from and how sure it is, for readers that weigh findings of models: its rule ids
// are "CWE-798/secret" or "NOVEL-" and ours.
enum class SarifProfile { kGitHub, kAi };
[[nodiscard]] std::string format_sarif(const Report& report, SarifProfile profile);
// For a pull request or a chat.
[[nodiscard]] std::string format_markdown(const Report& report);
[[nodiscard]] std::string finding_markdown(const Finding& finding);  // one of it, without its place

}  // namespace ambit::daemon::review
