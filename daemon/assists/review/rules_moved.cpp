// A symbol that is gone from its file, while another of its name stands elsewhere: moved without
// its importers, or renamed where the name is a common one.
//
// The name alone proves nothing here, so only uses count that name the file itself: an import of
// it, what such an import brought in, uses in the file, and in Go uses of its package.
#include <algorithm>
#include <set>

#include "daemon/assists/review/removed.h"
#include "daemon/assists/review/use_rules.h"

namespace ambit::daemon::review {
namespace {

using indexer::Language;
using indexer::Symbol;

constexpr std::size_t kMaxCandidates = 400;
constexpr std::size_t kMaxHomonyms = 200;

bool followed(Language language) {
  return language == Language::kPython || language == Language::kGo ||
         language == Language::kRust || language == Language::kC || script_family(language);
}

// "a/b" for a/b.ts, a/b.d.ts and a/b/index.ts, a/b.py, a/b.pyi and a/b/__init__.py, a/b.rs and
// a/b/mod.rs: what one import may mean.
std::string_view module_of(std::string_view path) {
  auto plain = without_extension(path);
  if (plain.ends_with(".d")) plain.remove_suffix(2);
  const auto base = base_of(plain);
  return base == "index" || base == "__init__" || base == "mod" ? folder_of(plain) : plain;
}

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

// Whether one of those that are left is what a use of the old one finds now.
bool stands_in_for(const std::vector<Symbol>& left, const ChangedFile& file) {
  return std::any_of(left.begin(), left.end(), [&](const Symbol& s) {
    switch (file.language) {
      case Language::kGo:  // folders of one name may be taken for one another
        return base_of(folder_of(s.path)) == base_of(folder_of(file.path));
      case Language::kRust:
        return base_of(module_of(s.path)) == base_of(module_of(file.path));
      case Language::kC:  // what a header or another file offers is seen here too
        return s.exported || s.path == file.path || !s.path.ends_with(".c");
      default:
        return module_of(s.path) == module_of(file.path);
    }
  });
}

bool means_it_for_sure(const RuleContext& c, Texts& texts, const std::vector<Symbol>& left,
                       const Use& use, const ChangedFile& file) {
  const auto& here = texts.at(use.path);
  if (use.in_import) {
    if (file.language == Language::kRust) {
      // use crate::STEM::name, the whole path written out.
      const auto before = std::string_view(here.code).substr(0, use.span.begin);
      const auto stem = base_of(module_of(file.path));
      return stem != "lib" && stem != "main" && before.ends_with("::") &&
             word_before(before, before.size() - 2) == stem;
    }
    for (const auto& i : here.imports) {
      if (use.span.begin < i.statement.begin || use.span.end > i.statement.end) continue;
      const auto module = std::string_view(here.text).substr(i.module.begin, i.module.size());
      if (std::any_of(left.begin(), left.end(), [&](const Symbol& s) {
            return import_names(module, file.language, use.path, s.path);
          })) {
        return false;
      }
    }
    return true;
  }
  if (file.language == Language::kRust) return false;
  // A plain script sees what others beside it on its page define.
  if (script_family(file.language) && use.path == file.path && here.imports.empty() &&
      here.code.find("export ") == std::string::npos) {
    return false;
  }
  // module.name is what the module offers, whatever the place itself calls so.
  if (std::string_view(here.code).substr(0, use.span.begin).ends_with('.')) return true;
  // A parameter, a variable or another definition that the place sees first.
  const auto meant = c.after->resolve(use.path, use.span.begin);
  return std::none_of(meant.begin(), meant.end(),
                      [&](const auto& m) { return m.symbol.path == use.path; });
}

void look_at(RuleContext& c, Texts& texts, const ChangedFile& file, const Symbol& gone) {
  const auto left = c.after->definitions(gone.name, kMaxHomonyms);
  if (left.empty() || left.size() >= kMaxHomonyms) return;
  if (file.language == Language::kC && gone.exported) return;
  if (stands_in_for(left, file) || may_still_offer(texts.at(file.path), gone.name)) return;
  const Subject subject{gone.name, "", gone.kind, file.language, gone.exported, {file.path}};
  auto uses = uses_of(texts, subject, 200, c.stop);
  std::erase_if(uses, [&](const Use& u) { return !means_it_for_sure(c, texts, left, u, file); });
  if (uses.empty()) return;
  std::stable_partition(uses.begin(), uses.end(), [](const Use& u) { return u.in_import; });
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
  f.explanation = file.path + " defines no " + gone.name + " any more; " +
                  place(left.front().path, left.front().line) +
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
        file.path != file.diff.old_path || !followed(file.language) ||
        file.file_class != indexer::FileClass::kSource) {
      continue;
    }
    std::set<std::string_view> now;
    for (const auto& d : file.after->facts.definitions) now.insert(file.after->slice(d.name));
    const auto& all = file.before->facts.definitions;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto name = file.before->slice(all[i].name);
      if (!worth_a_look(all[i].kind) || name.size() < 3 || !now.insert(name).second) continue;
      const auto gone = indexer::make_symbol(file.path, file.before->text, file.language, all, i);
      if (!gone.scope.empty()) continue;
      if (c.stop.stop_requested() || ++looked > kMaxCandidates) return;
      look_at(c, texts, file, gone);
    }
  }
}

}  // namespace ambit::daemon::review
