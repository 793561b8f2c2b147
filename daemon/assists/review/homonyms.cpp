#include "daemon/assists/review/homonyms.h"

#include <algorithm>

#include "daemon/assists/review/use_rules.h"

namespace ambit::daemon::review {

using indexer::Language;
using indexer::Symbol;

namespace {

// "a/b" for a/b.ts, a/b.d.ts and a/b/index.ts, a/b.py, a/b.pyi and a/b/__init__.py, a/b.rs and
// a/b/mod.rs: what one import may mean.
std::string_view module_of(std::string_view path) {
  auto plain = without_extension(path);
  if (plain.ends_with(".d")) plain.remove_suffix(2);
  const auto base = base_of(plain);
  return base == "index" || base == "__init__" || base == "mod" ? folder_of(plain) : plain;
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
                       const Use& use, const ChangedFile& file, const Symbol& symbol) {
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
  return std::none_of(meant.begin(), meant.end(), [&](const auto& m) {
    const bool itself = use.path == file.path && m.symbol.scope.empty() &&
                        m.symbol.kind == symbol.kind && m.symbol.name == symbol.name;
    return m.symbol.path == use.path && !itself;
  });
}

}  // namespace

bool told_by_file(Language language) {
  return language == Language::kPython || language == Language::kGo ||
         language == Language::kRust || language == Language::kC || script_family(language);
}

std::vector<Use> uses_of_this_one(const RuleContext& c, Texts& texts, const ChangedFile& file,
                                  const Symbol& symbol, const std::vector<Symbol>& others) {
  if (!told_by_file(file.language) || !symbol.scope.empty() ||
      (file.language == Language::kC && symbol.exported) || stands_in_for(others, file)) {
    return {};
  }
  const Subject subject{symbol.name, "", symbol.kind, file.language, symbol.exported, {file.path}};
  auto uses = uses_of(texts, subject, 200, c.stop);
  std::erase_if(
      uses, [&](const Use& u) { return !means_it_for_sure(c, texts, others, u, file, symbol); });
  std::stable_partition(uses.begin(), uses.end(), [](const Use& u) { return u.in_import; });
  return uses;
}

}  // namespace ambit::daemon::review
