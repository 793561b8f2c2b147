#include "daemon/assists/review/finding.h"

#include <algorithm>
#include <tuple>

#include "indexer/git/repository.h"

namespace ambit::daemon::review {

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "info";
}

const std::vector<RuleInfo>& rules() {
  using enum Severity;
  static const std::vector<RuleInfo> all{
      {"conflict-marker", kError, "A merge conflict marker is left in the file."},
      {"secret", kError, "A credential is about to be committed."},
      {"secret-file", kError,
       "A file that holds credentials by its name is about to be committed."},
      {"parse-error", kError, "The file parsed before this change and no longer does."},
      {"removed-symbol", kError, "A symbol was removed or renamed and is still used."},
      {"changed-signature", kError, "A signature changed and a caller still calls the old one."},
      {"missing-file", kError, "A file was deleted or moved and is still included or imported."},
      {"duplicate-definition", kWarning, "The same thing is now defined twice in one scope."},
      {"debug-leftover", kWarning, "A debugging statement is left in the code."},
      {"focused-test", kError, "A focused test silently keeps all others from running."},
      {"skipped-test", kInfo, "A test was switched off."},
      {"removed-test", kWarning, "The last test of code that still exists was removed."},
      {"merge-leftover", kWarning, "A file that merge or patch tools left behind is added."},
      {"model", kWarning, "The model found a likely fault."},
  };
  return all;
}

std::string normalise_code(std::string_view code) {
  std::string out;
  bool space = false;
  for (const char c : code) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      space = true;
      continue;
    }
    if (space && !out.empty()) out.push_back(' ');
    space = false;
    out.push_back(c);
  }
  return out;
}

std::string fingerprint(const Finding& f, std::string_view code) {
  std::string key = f.rule;
  key.push_back('\0');
  key += f.anchor.empty() ? normalise_code(code) : f.anchor;
  key.push_back('\0');
  key += f.symbol;
  return indexer::hash_blob(key).hex().substr(0, 16);
}

void sort_findings(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.path, a.range.line, a.range.column, a.rule) <
           std::tie(b.path, b.range.line, b.range.column, b.rule);
  });
}

}  // namespace ambit::daemon::review
