// A symbol that is gone but still used, or no longer declared but still defined.
#include <algorithm>
#include <map>
#include <set>

#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/lexical.h"
#include "daemon/assists/review/removed.h"

namespace ambit::daemon::review {
namespace {

using indexer::Language;
using indexer::SymbolKind;

constexpr std::size_t kMaxCandidates = 400;

struct Gone {
  const ChangedFile* file;
  std::uint32_t line;
  Subject subject;
};

std::map<std::string, Gone> removed_definitions(const RuleContext& c) {
  std::set<std::string> now;
  for (const auto& f : c.change.files) {
    if (!f.after) continue;
    for (const auto& d : f.after->facts.definitions) now.emplace(f.after->slice(d.name));
  }
  std::map<std::string, Gone> out;
  std::set<std::string> ambiguous;
  for (const auto& f : c.change.files) {
    if (!f.before || !f.before->parsed) continue;
    if (f.after && hides_definitions(f)) continue;
    // A generated one is made elsewhere.
    if (f.file_class != indexer::FileClass::kSource) continue;
    const auto& all = f.before->facts.definitions;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& d = all[i];
      const std::string name(f.before->slice(d.name));
      if (!worth_a_look(d.kind) || name.size() < 3 || now.contains(name)) continue;
      auto symbol = indexer::make_symbol(f.diff.old_path, f.before->text, f.language, all, i);
      const auto it = out.find(name);
      if (it == out.end()) {
        if (out.size() >= kMaxCandidates) return out;
        Gone gone{
            &f, d.line, {name, symbol.scope, d.kind, f.language, d.exported, {f.diff.old_path}}};
        if (f.path != f.diff.old_path) gone.subject.paths.push_back(f.path);
        out.emplace(name, std::move(gone));
        continue;
      }
      auto& known = it->second;
      if (known.subject.scope != symbol.scope || !same_family(known.subject.language, f.language)) {
        ambiguous.insert(name);
      }
      known.subject.paths.push_back(f.diff.old_path);
      if (f.path != f.diff.old_path) known.subject.paths.push_back(f.path);
      known.subject.exported = known.subject.exported || d.exported;
      if (!d.declaration_only && f.after) {
        known.file = &f;
        known.line = d.line;
      }
    }
  }
  for (const auto& name : ambiguous) out.erase(name);
  return out;
}

// A class no longer announces a member that is still defined outside of it: `Class::name`.
void removed_declaration(RuleContext& c, Texts& texts, const std::string& name, const Gone& gone) {
  if (!gone.file->after || gone.subject.scope.empty() || gone.subject.kind != SymbolKind::kMethod ||
      (gone.subject.language != Language::kCpp && gone.subject.language != Language::kCuda)) {
    return;
  }
  const auto left = c.after->definitions(name, 20);
  std::vector<Use> places;
  for (const auto& s : left) {
    // Any other announcement of the name may be the one that it belongs to.
    if (s.declaration_only || s.scope != gone.subject.scope) return;
    const auto& code = texts.at(s.path).code;
    const auto at = s.name_span.begin;
    if (at < 2 || at > code.size() || code.compare(at - 2, 2, "::") != 0) return;
    Use use;
    use.path = s.path;
    use.range = {s.line, s.column, s.line, s.column + s.name_span.size()};
    places.push_back(std::move(use));
  }
  if (places.empty()) return;
  auto uses = uses_of(texts, gone.subject, 50, c.stop);
  const auto renamed = new_name(*gone.file, gone.line, gone.subject.kind);
  Finding f;
  f.rule = "removed-symbol";
  f.severity = Severity::kError;
  f.path = gone.file->path;
  f.range = place_of_removal(*gone.file, gone.line);
  f.anchor = gone.subject.scope + "::" + name;
  f.message = gone.subject.scope + "::" + name + " is " +
              (renamed.empty() ? "no longer declared" : "declared as " + renamed + " now") +
              " but still defined in " + place(places.front().path, places.front().range.line);
  f.explanation = "A member that its class does not declare does not compile.";
  add_related(f, places, "still defines " + name);
  add_related(f, uses, "still uses " + name);
  if (!renamed.empty()) {
    Fix fix{"define it as " + renamed, {}};
    for (const auto& p : places) fix.edits.push_back({p.path, p.range, renamed});
    f.fix = std::move(fix);
  }
  c.out.push_back(std::move(f));
}

// `struct EXPORT Name {`: a macro in the head can hide a definition from the grammar.
bool still_headed(const ChangedFile& file, const std::string& name) {
  if (!file.after) return false;
  const auto code = code_only(file.after->text, file.language);
  for (std::size_t at = 0; (at = code.find(name, at)) != std::string::npos; at += name.size()) {
    const auto line = code.rfind('\n', at);
    const auto head = std::string_view(code).substr(
        line == std::string::npos ? 0 : line + 1, at - (line == std::string::npos ? 0 : line + 1));
    for (const std::string_view word : {"struct ", "class ", "union ", "enum ", "#define "}) {
      if (head.find(word) != std::string_view::npos) return true;
    }
  }
  return false;
}

}  // namespace

void rule_removed_symbols(RuleContext& c) {
  Texts texts(*c.after);
  for (auto& [name, gone] : removed_definitions(c)) {
    if (c.stop.stop_requested()) return;
    if (!c.after->definitions(name, 1).empty()) {
      removed_declaration(c, texts, name, gone);
      continue;
    }
    if (still_headed(*gone.file, name)) continue;
    const auto& from = gone.subject.paths;
    if (gone.subject.language == Language::kPython &&
        std::any_of(from.begin(), from.end(),
                    [&](const std::string& p) { return makes_names(texts.at(p).code); })) {
      continue;
    }
    auto uses = uses_of(texts, gone.subject, 200, c.stop);
    // A variable, parameter or import of that name, or anything else that the index knows.
    std::erase_if(uses, [&](const Use& use) {
      return !use.in_import && !c.after->resolve(use.path, use.span.begin).empty();
    });
    if (uses.empty()) continue;
    const auto& file = *gone.file;
    const auto renamed = new_name(file, gone.line, gone.subject.kind);
    Finding f;
    f.rule = "removed-symbol";
    f.severity = Severity::kError;
    f.anchor = name;
    f.message = name + (renamed.empty() ? " is removed" : " is renamed to " + renamed) +
                " but still used in " + place(uses.front().path, uses.front().range.line);
    if (uses.size() > 1) f.message += " and " + std::to_string(uses.size() - 1) + " more";
    f.explanation = "Nothing of this name is defined in the repository any more.";
    if (file.after) {
      f.path = file.path;
      f.range = place_of_removal(file, gone.line);
    } else {
      f.path = uses.front().path;
      f.range = uses.front().range;
    }
    add_related(f, uses, "still uses " + name);
    if (!renamed.empty()) f.fix = use_new_name(texts, uses, name, renamed);
    c.out.push_back(std::move(f));
  }
}

}  // namespace ambit::daemon::review
