#include "daemon/assists/review/removed.h"

#include <algorithm>
#include <set>

#include "daemon/assists/review/use_rules.h"

namespace ambit::daemon::review {

using indexer::SymbolKind;

bool worth_a_look(SymbolKind k) {
  switch (k) {
    case SymbolKind::kFunction:
    case SymbolKind::kMethod:
    case SymbolKind::kClass:
    case SymbolKind::kStruct:
    case SymbolKind::kInterface:
    case SymbolKind::kEnum:
    case SymbolKind::kTypeAlias:
    case SymbolKind::kTrait:
    case SymbolKind::kUnion:
    case SymbolKind::kMacro:
      return true;
    default:
      return false;
  }
}

Range place_of_removal(const ChangedFile& file, std::uint32_t old_line) {
  std::uint32_t line = 0;
  for (const auto& hunk : file.diff.hunks) {
    if (old_line < hunk.old_start || old_line >= hunk.old_start + std::max(hunk.old_count, 1U))
      continue;
    line = hunk.new_start;
    bool passed = false;
    for (const auto& l : hunk.lines) {
      if (l.origin == indexer::LineOrigin::kRemoved) {
        passed = passed || l.old_line == old_line;
        continue;
      }
      line = l.new_line;
      if (passed) break;
    }
    break;
  }
  const auto starts = line_starts(file.after->text);
  return whole_line(file.after->text, starts,
                    std::min(line, static_cast<std::uint32_t>(starts.size()) - 1));
}

std::string new_name(const ChangedFile& file, std::uint32_t old_line, SymbolKind kind) {
  if (!file.after || !file.before) return "";
  std::set<std::string_view> old_names;
  for (const auto& d : file.before->facts.definitions) old_names.insert(file.before->slice(d.name));
  const auto at = place_of_removal(file, old_line).line;
  for (const auto& d : file.after->facts.definitions) {
    if (d.kind == kind && d.line + 2 >= at && d.line <= at + 2 && file.line_added(d.line) &&
        !old_names.contains(file.after->slice(d.name))) {
      return std::string(file.after->slice(d.name));
    }
  }
  return "";
}

bool makes_names(std::string_view code) {
  return code.starts_with("def __getattr__") ||
         code.find("\ndef __getattr__") != std::string_view::npos ||
         code.find("globals()") != std::string_view::npos;
}

Fix use_new_name(Texts& texts, const std::vector<Use>& uses, const std::string& name,
                 const std::string& renamed) {
  Fix fix{"use " + renamed +
              (uses.size() == 1 ? " there" : " in the " + std::to_string(uses.size()) + " places"),
          {}};
  const auto brought_on = " as " + name;
  for (const auto& use : uses) {
    fix.edits.push_back({use.path, use.range, renamed});
    const auto& code = texts.at(use.path).code;
    if (!use.in_import || use.span.end > code.size()) continue;
    const auto rest = std::string_view(code).substr(use.span.end);
    if (!rest.starts_with(brought_on) ||
        (rest.size() > brought_on.size() && is_word(rest[brought_on.size()]))) {
      continue;
    }
    auto second = use.range;
    second.column = use.range.end_column + 4;
    second.end_column = second.column + static_cast<std::uint32_t>(name.size());
    fix.edits.push_back({use.path, second, renamed});
  }
  return fix;
}

}  // namespace ambit::daemon::review
