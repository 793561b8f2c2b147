// A symbol that is gone from its file, while another of its name stands elsewhere: moved without
// its importers, or renamed where the name is a common one.
#include <algorithm>
#include <set>

#include "daemon/assists/review/homonyms.h"
#include "daemon/assists/review/removed.h"
#include "daemon/assists/review/use_rules.h"

namespace ambit::daemon::review {
namespace {

using indexer::Symbol;

constexpr std::size_t kMaxCandidates = 400;
constexpr std::size_t kMaxHomonyms = 200;

// Whether the file may still offer the name, without defining it: it imports it, exports it, or
// makes names while it runs.
bool may_still_offer(const Texts::Entry& file, std::string_view name) {
  const std::string_view code = file.code;
  if (makes_names(code)) return true;
  for (const std::string_view words : {"module.exports", "export *", "exports[", "import *"}) {
    if (code.find(words) != std::string_view::npos) return true;
  }
  const auto brings = [&](const indexer::Import& i) {
    const auto words = std::string_view(file.text).substr(i.statement.begin, i.statement.size());
    return contains_word(words, name) || words.find('*') != std::string_view::npos;
  };
  if (std::any_of(file.imports.begin(), file.imports.end(), brings)) return true;
  for (std::size_t at = 0; (at = code.find(name, at)) != std::string_view::npos;
       at += name.size()) {
    const auto line = code.rfind('\n', at);
    auto head = code.substr(line == std::string_view::npos ? 0 : line + 1);
    head = head.substr(0, head.find('\n'));
    head.remove_prefix(std::min(head.find_first_not_of(" \t"), head.size()));
    for (const std::string_view word :
         {"import ", "from ", "export ", "use ", "pub use ", "pub(", "#define ", "exports."}) {
      if (head.starts_with(word)) return true;
    }
  }
  return false;
}

void look_at(RuleContext& c, Texts& texts, const ChangedFile& file, const Symbol& gone) {
  const auto left = c.after->definitions(gone.name, kMaxHomonyms);
  if (left.empty() || left.size() >= kMaxHomonyms) return;
  if (may_still_offer(texts.at(file.path), gone.name)) return;
  const auto uses = uses_of_this_one(c, texts, file, gone, left);
  if (uses.empty()) return;
  const auto renamed = new_name(file, gone.line, gone.kind);
  const auto moved = std::find_if(left.begin(), left.end(), [&](const Symbol& s) {
    const auto* other = c.change.find(s.path);
    return s.kind == gone.kind && s.scope.empty() && other != nullptr && other->line_added(s.line);
  });
  Finding f;
  f.rule = "removed-symbol";
  f.severity = Severity::kError;
  f.path = file.path;
  f.range = place_of_removal(file, gone.line);
  f.anchor = gone.name;
  f.message = gone.name;
  if (!renamed.empty()) {
    f.message += " is renamed to " + renamed;
  } else if (moved != left.end()) {
    f.message += " is moved to " + moved->path;
  } else {
    f.message += " is removed";
  }
  f.message += " but still used from here in " + place(uses.front().path, uses.front().range.line);
  if (uses.size() > 1) f.message += " and " + std::to_string(uses.size() - 1) + " more";
  const auto& other = moved == left.end() ? left.front() : *moved;
  f.explanation = file.path + " defines no " + gone.name + " any more; " +
                  place(other.path, other.line) +
                  (moved == left.end() ? " defines another." : " does.");
  add_related(f, uses, "still uses " + gone.name);
  if (!renamed.empty()) f.fix = use_new_name(texts, uses, gone.name, renamed);
  c.out.push_back(std::move(f));
}

}  // namespace

void rule_moved_symbols(RuleContext& c) {
  Texts texts(*c.after);
  std::size_t looked = 0;
  for (const auto& file : c.change.files) {
    if (!file.before || !file.before->parsed || !file.after || hides_definitions(file) ||
        file.path != file.diff.old_path || !told_by_file(file.language) ||
        file.file_class != indexer::FileClass::kSource) {
      continue;
    }
    std::set<std::string_view> now, seen;
    for (const auto& d : file.after->facts.definitions) now.insert(file.after->slice(d.name));
    const auto& all = file.before->facts.definitions;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto name = file.before->slice(all[i].name);
      if (!worth_a_look(all[i].kind) || name.size() < 3 || now.contains(name)) continue;
      const auto gone = indexer::make_symbol(file.path, file.before->text, file.language, all, i);
      if (!gone.scope.empty() || !seen.insert(name).second) continue;
      if (c.stop.stop_requested() || ++looked > kMaxCandidates) return;
      look_at(c, texts, file, gone);
    }
  }
}

}  // namespace ambit::daemon::review
