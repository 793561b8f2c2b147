// Rules about whole files: still included after they are gone; tests that went while what they test
// stays.
#include <algorithm>
#include <map>
#include <set>

#include "daemon/assists/path_words.h"
#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/lexical.h"
#include "daemon/assists/review/tests_in.h"
#include "daemon/assists/review/uses.h"

namespace ambit::daemon::review {
namespace {

using indexer::Change;
using indexer::Language;
using indexer::SymbolKind;

// Of the folder, where the file stands for it.
std::string module_stem(std::string_view path) {
  auto base = base_of(path);
  if (base == "__init__.py" || base.starts_with("index."))
    return std::string(base_of(folder_of(path)));
  return std::string(base.substr(0, base.find('.')));
}

bool quoted_include(std::string_view statement) {
  return statement.find('"') != std::string_view::npos;
}

bool can_be_imported(Language l) {
  return c_family(l) || script_family(l) || l == Language::kPython;
}

}  // namespace

void rule_missing_files(RuleContext& c) {
  Texts texts(*c.after);
  std::set<std::string> existing;
  std::map<std::string, std::vector<std::string>> by_stem;
  const auto exists = [&](const std::string& path) {
    const auto* changed = c.change.find(path);
    if (changed != nullptr) return changed->diff.change != Change::kDeleted;
    return c.change.tree_is_worktree ||
           std::any_of(c.change.tree.begin(), c.change.tree.end(),
                       [&](const indexer::TreeEntry& e) { return e.path == path; });
  };
  std::vector<std::string> all;
  if (c.change.tree_is_worktree) {
    for (const auto& f : c.after->files()) {
      const auto* changed = c.change.find(f.path);
      if (changed == nullptr || changed->diff.change != Change::kDeleted) all.push_back(f.path);
    }
  } else {
    for (const auto& e : c.change.tree) all.push_back(e.path);
  }
  for (const auto& file : c.change.files) {
    if (c.stop.stop_requested()) return;
    const bool moved = file.diff.change == Change::kRenamed;
    if (file.diff.change != Change::kDeleted && !moved) continue;
    const auto& old_path = file.diff.old_path;
    const auto language = indexer::language_of(old_path, file.before ? file.before->text : "");
    if (!can_be_imported(language)) continue;
    // A template or a list of rules that makes the file when building.
    const bool made = std::any_of(all.begin(), all.end(), [&](const std::string& p) {
      return base_of(p).starts_with(std::string(base_of(old_path)) + ".");
    });
    if (made) continue;
    const auto stem = module_stem(old_path);
    if (stem.size() < 2) continue;
    auto matches = c.after->search(stem, false, 400, c.stop);
    if (!matches) continue;
    std::set<std::string> importers;
    for (const auto& m : *matches) importers.insert(m.path);
    for (const auto& importer : importers) {
      if (!exists(importer)) continue;
      const auto& entry = texts.at(importer);
      if (!same_family(entry.language, language)) continue;
      for (const auto& i : entry.imports) {
        const std::string_view text = entry.text;
        const auto module = text.substr(i.module.begin, i.module.size());
        const auto statement = text.substr(i.statement.begin, i.statement.size());
        if (c_family(language) && !quoted_include(statement)) continue;
        if (!import_names(module, language, importer, old_path)) continue;
        // Anything else that it may mean now?
        const bool found = std::any_of(all.begin(), all.end(), [&](const std::string& p) {
          return import_names(module, language, importer, p) ||
                 (language == Language::kPython && !p.ends_with(".py") &&
                  base_of(p).starts_with(stem + "."));
        });
        if (found) continue;
        if (language == Language::kPython && module.find('.') == std::string_view::npos) continue;
        const auto starts = line_starts(text);
        const auto line = static_cast<std::uint32_t>(
            std::upper_bound(starts.begin(), starts.end(), i.module.begin) - starts.begin() - 1);
        // A plan for its absence: __has_include, try/except, #ifdef around it.
        const auto above = line == 0 ? std::string_view{} : line_text(entry.code, starts, line - 1);
        if (above.find("try") != std::string_view::npos || above.starts_with("#if")) continue;
        Finding f;
        f.rule = "missing-file";
        f.severity = Severity::kError;
        f.path = importer;
        f.range = {line, i.module.begin - starts[line], line, i.module.end - starts[line]};
        f.anchor = old_path + " " + std::string(module);
        f.message = old_path + (moved ? " is moved to " + file.diff.new_path : " is deleted") +
                    ", but this still names it";
        if (moved && !file.after) continue;
        c.out.push_back(std::move(f));
        break;
      }
    }
  }
}

namespace {

std::set<std::string> called_names(std::string_view code) {
  std::set<std::string> out;
  for (std::size_t at = 0; (at = code.find('(', at)) != std::string_view::npos; ++at) {
    const auto name = word_before(code, at);
    if (name.size() >= 4) out.emplace(name);
  }
  return out;
}

// test_parse_date, TestParseDate, "parses a date (parseDate)": of what a test calls, its subject is
// what it is named after.
bool is_named_after(std::string_view test, std::string_view name) {
  const auto letters = [](std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
      if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
    }
    return out;
  };
  return letters(test).find(letters(name)) != std::string::npos;
}

}  // namespace

void rule_removed_tests(RuleContext& c) {
  std::set<std::string> still;
  for (const auto& f : c.change.files) {
    if (!f.after) continue;
    for (const auto& t : tests_in(f.after->text, f.language)) still.insert(t.name);
  }
  std::set<std::string> said;
  for (const auto& f : c.change.files) {
    if (!f.before || f.language == Language::kNone || c.stop.stop_requested()) continue;
    if (!is_test_path(f.diff.old_path) && f.language != Language::kRust) continue;
    const auto tests = tests_in(f.before->text, f.language);
    if (tests.empty()) continue;
    const auto code = code_only(f.before->text, f.language);
    for (const auto& test : tests) {
      if (still.contains(test.name)) continue;
      for (const auto& name :
           called_names(std::string_view(code).substr(test.begin, test.end - test.begin))) {
        if (said.contains(name) || !is_named_after(test.name, name)) continue;
        const auto defined = c.after->definitions(name, 20);
        const bool subject =
            !defined.empty() && std::all_of(defined.begin(), defined.end(), [&](const auto& s) {
              return !is_test_path(s.path) && s.exported &&
                     (s.kind == SymbolKind::kFunction || s.kind == SymbolKind::kMethod);
            });
        if (!subject || !same_family(indexer::language_of(defined.front().path), f.language))
          continue;
        const auto references = c.after->references(name, 500);
        const bool tested = references.size() >= 500 ||
                            std::any_of(references.begin(), references.end(),
                                        [](const auto& r) { return is_test_path(r.path); });
        if (tested) continue;
        // Tests beside the code (Rust) mention it in a file that is not named after tests.
        if (f.language == Language::kRust &&
            std::any_of(references.begin(), references.end(),
                        [&](const auto& r) { return r.path == f.path; })) {
          continue;
        }
        said.insert(name);
        Finding finding;
        finding.rule = "removed-test";
        finding.anchor = name;
        finding.symbol = test.name;
        finding.message = "the last test that calls " + name + " is removed (" + test.name + ")";
        finding.related.push_back(
            {defined.front().path,
             {defined.front().line, defined.front().column, defined.front().line,
              defined.front().column + static_cast<std::uint32_t>(name.size())},
             name + " is still here"});
        if (f.after) {
          finding.path = f.path;
          const auto starts = line_starts(f.after->text);
          std::uint32_t line = 0;
          for (const auto& hunk : f.diff.hunks) {
            if (hunk.old_start <= test.line &&
                test.line < hunk.old_start + std::max(hunk.old_count, 1U)) {
              line = hunk.new_start;
              for (const auto& l : hunk.lines) {
                if (l.origin == indexer::LineOrigin::kRemoved && l.old_line >= test.line) break;
                if (l.origin != indexer::LineOrigin::kRemoved) line = l.new_line;
              }
            }
          }
          finding.range = whole_line(f.after->text, starts,
                                     std::min(line, static_cast<std::uint32_t>(starts.size()) - 1));
        } else {
          finding.path = defined.front().path;
          finding.range = finding.related.front().range;
        }
        c.out.push_back(std::move(finding));
      }
    }
  }
}

}  // namespace ambit::daemon::review
