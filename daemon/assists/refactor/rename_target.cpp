#include "daemon/assists/refactor/rename_target.h"

#include <algorithm>
#include <map>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::Symbol;
using indexer::SymbolKind;

namespace {

constexpr std::size_t kMaxDefinitions = 4000;

// Two definitions are one symbol: declared and defined, overloads, re-opened namespaces.
bool same_symbol(const Symbol& a, const Symbol& b) {
  if (!same_family(indexer::language_of(a.path), indexer::language_of(b.path))) return false;
  if (a.path != b.path && (!a.exported || !b.exported)) return false;
  if (!same_namespace(a, b)) return false;
  if (a.scope == b.scope) return is_member(a) == is_member(b);
  // A C++ definition outside its class names the class, and leaves out the namespaces around it.
  const auto ends = [](const std::string& longer, const std::string& shorter) {
    return !shorter.empty() && longer.size() > shorter.size() && longer.ends_with(shorter) &&
           longer[longer.size() - shorter.size() - 1] == ':';
  };
  return ends(a.scope, b.scope) || ends(b.scope, a.scope);
}

}  // namespace

bool same_namespace(const Symbol& a, const Symbol& b) {
  return indexer::language_of(a.path) != indexer::Language::kRust ||
         (a.kind == SymbolKind::kField) == (b.kind == SymbolKind::kField);
}

bool is_type_kind(SymbolKind k) {
  return k == SymbolKind::kClass || k == SymbolKind::kStruct || k == SymbolKind::kInterface ||
         k == SymbolKind::kEnum || k == SymbolKind::kTypeAlias || k == SymbolKind::kTrait ||
         k == SymbolKind::kUnion;
}
bool is_member(const Symbol& s) {
  return !s.scope.empty() && (s.kind == SymbolKind::kMethod || s.kind == SymbolKind::kField ||
                              s.kind == SymbolKind::kProperty);
}

std::string shown_place(const Symbol& s) {
  return s.path + ":" + std::to_string(s.line + 1) + ":" + std::to_string(s.column + 1) + " (" +
         std::string(to_string(s.kind)) + " " +
         (s.scope.empty()
              ? ""
              : s.scope +
                    std::string(indexer::language_info(indexer::language_of(s.path)).separator)) +
         s.name + ")";
}

std::string qualified_name(const Symbol& s) {
  if (s.scope.empty()) return s.name;
  return s.scope + std::string(indexer::language_info(indexer::language_of(s.path)).separator) +
         s.name;
}

std::vector<Symbol> definitions_of(const indexer::Snapshot& snapshot, const std::string& name) {
  return snapshot.definitions(name, kMaxDefinitions);
}

void add_relatives(const indexer::Snapshot& snapshot, std::set<std::string>& classes,
                   const std::vector<Symbol>& methods) {
  const auto bases_of = [&](const std::string& name) {
    std::set<std::string> out;
    for (const auto& d : snapshot.definitions(name, 50)) {
      if (!is_type_kind(d.kind)) continue;
      for (const auto& r : snapshot.references_in(d.path)) {
        if (r.kind == indexer::ReferenceKind::kInherit && d.name_span.end <= r.span.begin &&
            r.span.end <= std::min(d.span.end, d.name_span.end + 400)) {
          out.insert(r.name);
        }
      }
    }
    return out;
  };
  std::set<std::string> candidates;
  for (const auto& m : methods) candidates.insert(last_name(m.scope));
  std::map<std::string, std::set<std::string>> bases;
  for (const auto& c : candidates) bases[c] = bases_of(c);
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [c, above] : bases) {
      const bool in = classes.contains(c);
      for (const auto& b : above) {
        if (in && candidates.contains(b) && classes.insert(b).second) grown = true;
        if (!in && classes.contains(b) && classes.insert(c).second) grown = true;
      }
    }
  }
}

Result<std::vector<Symbol>> choose_symbol(const indexer::Snapshot& snapshot,
                                          const RenameTarget& target, std::vector<Symbol>& all) {
  std::string name = target.name, scope;
  if (const auto at = name.find_last_of(":."); at != std::string::npos) {
    scope = name.substr(0, at);
    while (scope.ends_with(':')) scope.pop_back();
    name = name.substr(at + 1);
  }
  std::vector<Symbol> chosen;
  if (!target.path.empty()) {
    const auto found = snapshot.resolve(target.path, target.offset);
    if (found.empty()) {
      return make_error(Code::kNotFound, "there is no symbol at this place of " + target.path);
    }
    const auto& best = found[0].symbol;
    if (!name.empty() && best.name != name) {
      return make_error(Code::kNotFound,
                        "the name at this place is " + best.name + ", not " + name);
    }
    all = definitions_of(snapshot, best.name);
    chosen.push_back(best);
  } else {
    all = definitions_of(snapshot, name);
    for (const auto& s : all) {
      const bool in_scope = scope.empty() || s.scope == scope ||
                            (s.scope.size() > scope.size() && s.scope.ends_with(scope) &&
                             !word_byte(s.scope[s.scope.size() - scope.size() - 1]));
      if (in_scope) chosen.push_back(s);
    }
    // A bare name is first of all a function, type or variable, and only then somebody's member.
    if (scope.empty() &&
        std::any_of(chosen.begin(), chosen.end(), [](const Symbol& s) { return !is_member(s); })) {
      std::erase_if(chosen, [](const Symbol& s) { return is_member(s); });
    }
    // A constructor goes with its class.
    std::erase_if(chosen, [&](const Symbol& s) {
      return last_name(s.scope) == s.name && chosen.size() > 1 &&
             std::any_of(chosen.begin(), chosen.end(), [&](const Symbol& c) {
               return is_type_kind(c.kind) && qualified_name(c) == s.scope;
             });
    });
    if (chosen.empty()) {
      return make_error(Code::kNotFound,
                        "the index knows no symbol " + target.name +
                            "; `ambit index search` looks for text, `ambit index symbols` lists");
    }
  }
  // Bodies speak for the symbol; a file may only announce it.
  std::stable_sort(chosen.begin(), chosen.end(), [](const Symbol& a, const Symbol& b) {
    return a.declaration_only < b.declaration_only;
  });
  std::vector<Symbol> group{chosen[0]};
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& s : all) {
      const auto is = [&](const Symbol& g) {
        return g.path == s.path && g.name_span == s.name_span;
      };
      if (std::any_of(group.begin(), group.end(), is)) continue;
      if (std::any_of(group.begin(), group.end(),
                      [&](const Symbol& g) { return same_symbol(g, s); })) {
        group.push_back(s);
        grown = true;
      }
    }
  }
  std::string others;
  std::size_t count = 0;
  for (const auto& s : chosen) {
    const auto is = [&](const Symbol& g) { return g.path == s.path && g.name_span == s.name_span; };
    if (std::any_of(group.begin(), group.end(), is)) continue;
    if (++count <= 8) others += "; " + shown_place(s);
  }
  if (count > 0) {
    return make_error(Code::kInvalidArgument,
                      std::to_string(count + 1) + " symbols are called " + target.name +
                          ": say which by its scope or with --at FILE:LINE:COL: " +
                          shown_place(group[0]) + others);
  }
  return group;
}

}  // namespace ambit::daemon
