// One finding of a review, whoever made it. Everything that is shown, written or compared between
// runs is made from this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ambit::daemon::review {

enum class Severity : std::uint8_t { kInfo, kWarning, kError };
[[nodiscard]] std::string_view to_string(Severity severity);  // "info", "warning", "error"

// Lines and columns are 0-based, columns in UTF-8 bytes; the end is exclusive.
struct Range {
  std::uint32_t line = 0, column = 0;
  std::uint32_t end_line = 0, end_column = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

// Another place that shows why: a caller, the place that was forgotten.
struct Related {
  std::string path;
  Range range;
  std::string message;
};

struct Edit {
  std::string path;
  Range range;
  std::string text;
};

struct Fix {
  std::string title;  // "remove this line"
  std::vector<Edit> edits;
};

enum class Origin : std::uint8_t { kFact, kModel };

struct Finding {
  std::string rule;  // stable: "conflict-marker", "removed-symbol"; see rules()
  Severity severity = Severity::kWarning;
  Origin origin = Origin::kFact;
  std::string path;  // relative to the root; the range lies in its reviewed content
  Range range;
  std::string message;      // one line
  std::string explanation;  // why it matters and what to do; may be empty
  std::vector<Related> related;
  std::optional<Fix> fix;
  std::string symbol;       // scope and name of the definition around it, "" at file level
  std::string anchor;       // what identifies it beside rule and symbol; empty: the code in range
  std::string snippet;      // the lines of range, secrets replaced; at most kMaxSnippetBytes
  std::string fingerprint;  // 16 hex digits: rule, normalised code and symbol; see fingerprint()
  double confidence = 1;    // 0…1
};

inline constexpr std::size_t kMaxSnippetBytes = 2000;

// What the rules are, for outputs that list them (SARIF) and for the documentation.
struct RuleInfo {
  std::string_view id;
  Severity severity;
  std::string_view summary;  // one sentence
};
[[nodiscard]] const std::vector<RuleInfo>& rules();

// Code with white space folded: equal before and after a re-indentation or a move.
[[nodiscard]] std::string normalise_code(std::string_view code);
// The same finding keeps it when lines move, files are renamed or code is re-indented.
[[nodiscard]] std::string fingerprint(const Finding& finding, std::string_view code);

// Sorted by path, line, rule.
void sort_findings(std::vector<Finding>& findings);

}  // namespace ambit::daemon::review
