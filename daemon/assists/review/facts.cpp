#include "daemon/assists/review/facts.h"

#include <algorithm>
#include <map>
#include <set>

#include "daemon/assists/review/lexical.h"
#include "indexer/secrets.h"

namespace ambit::daemon::review {

Range whole_line(std::string_view text, const std::vector<std::uint32_t>& starts,
                 std::uint32_t line) {
  const auto here = line_text(text, starts, line);
  const auto first = std::min(here.find_first_not_of(" \t"), here.size());
  auto end = here.size();
  while (end > first && (here[end - 1] == ' ' || here[end - 1] == '\t')) --end;
  return {line, static_cast<std::uint32_t>(first), line, static_cast<std::uint32_t>(end)};
}

std::string symbol_around(const ChangedFile& file, std::uint32_t offset) {
  if (!file.after || !file.after->parsed) return "";
  const auto& all = file.after->facts.definitions;
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].span.begin <= offset && offset < all[i].span.end &&
        (!best || all[i].span.size() <= all[*best].span.size())) {
      best = i;
    }
  }
  if (!best) return "";
  const auto s = indexer::make_symbol(file.path, file.after->text, file.language, all, *best);
  return s.scope.empty() ? s.name : s.scope + "." + s.name;
}

void complete_finding(Finding& f, const ChangedFile* file, std::string_view text) {
  const auto starts = line_starts(text);
  const auto last_line = static_cast<std::uint32_t>(starts.size() - 1);
  f.range.line = std::min(f.range.line, last_line);
  f.range.end_line = std::min(f.range.end_line, last_line + 1);
  std::string code;
  for (auto line = f.range.line; line <= f.range.end_line && line <= last_line; ++line) {
    if (line > f.range.line && line == f.range.end_line && f.range.end_column == 0) break;
    code += line_text(text, starts, line);
    code.push_back('\n');
    if (code.size() > kMaxSnippetBytes) break;
  }
  // A credential that begins before the lines shown would not be recognised in them alone.
  f.snippet = f.rule == "secret-file" ? "" : indexer::redact_secrets(code);
  if (f.rule == "secret" && f.snippet == code) f.snippet.clear();
  if (f.snippet.size() > kMaxSnippetBytes) {
    auto end = kMaxSnippetBytes;
    while (end > 0 && (static_cast<unsigned char>(f.snippet[end]) & 0xC0U) == 0x80U) --end;
    f.snippet.resize(end);
  }
  if (f.symbol.empty() && file != nullptr) {
    f.symbol = symbol_around(*file, starts[f.range.line] + f.range.column);
  }
  f.fingerprint = fingerprint(f, indexer::redact_secrets(code));
}

Facts find_facts(const ChangeSet& change, const std::shared_ptr<const indexer::Snapshot>& after,
                 const FactsOptions& options) {
  Facts out;
  const auto stopped = [&] { return options.stop.stop_requested(); };
  for (const auto& file : change.files) {
    if (stopped()) break;
    if (!file.after || file.changed().empty()) continue;
    const auto before = out.findings.size();
    rule_conflict_markers(file, out.findings);
    rule_secrets(file, out.findings);
    rule_merge_leftovers(file, out.findings);
    const bool conflicts =
        std::any_of(out.findings.begin() + static_cast<std::ptrdiff_t>(before), out.findings.end(),
                    [](const Finding& f) { return f.rule == "conflict-marker"; });
    using indexer::FileClass;
    if (file.file_class == FileClass::kSource) {
      rule_debug_leftovers(file, out.findings);
      rule_tests_switched(file, out.findings);
      if (!conflicts) {  // markers break the parse and double definitions: said once
        rule_parse_errors(file, out.findings);
        rule_duplicate_definitions(file, out.findings);
      }
    }
    if (out.findings.size() > before + options.max_per_file) {
      out.findings.resize(before + options.max_per_file);
    }
  }
  if (after != nullptr && !stopped()) {
    RuleContext context{change, after.get(), options.stop, out.findings};
    rule_removed_symbols(context);
    rule_moved_symbols(context);
    rule_changed_signatures(context);
    rule_missing_files(context);
    rule_removed_tests(context);
  }
  if (after == nullptr) {
    out.complete = false;
    out.note = "there is no index: callers were not checked";
  }
  if (stopped()) {
    out.complete = false;
    out.note = "the time was up before every rule had run";
  }
  for (auto& f : out.findings) {
    const auto* file = change.find(f.path);
    if (file != nullptr && file->after) {
      complete_finding(f, file, file->after->text);
    } else {
      const auto text = after != nullptr ? after->text(f.path) : Result<std::string>(std::string());
      complete_finding(f, nullptr, text ? *text : std::string());
    }
  }
  sort_findings(out.findings);
  // Equal lines in one scope are told apart by their order.
  std::map<std::string, int> seen;
  for (auto& f : out.findings) {
    if (const int n = seen[f.fingerprint]++; n > 0) {
      auto numbered = f;
      numbered.anchor = f.fingerprint + "#" + std::to_string(n);
      f.fingerprint = fingerprint(numbered, "");
    }
  }
  return out;
}

}  // namespace ambit::daemon::review
