#include "daemon/assists/refactor/rename.h"

#include <algorithm>
#include <set>

#include "daemon/assists/refactor/edits.h"
#include "daemon/assists/refactor/rename_sites.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/visibility.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {

using indexer::Language;
using indexer::Symbol;
using indexer::SymbolKind;

namespace {

constexpr std::size_t kMaxDefinitions = 4000;

bool is_type(SymbolKind k) {
  return k == SymbolKind::kClass || k == SymbolKind::kStruct || k == SymbolKind::kInterface ||
         k == SymbolKind::kEnum || k == SymbolKind::kTypeAlias || k == SymbolKind::kTrait ||
         k == SymbolKind::kUnion;
}
bool is_member(const Symbol& s) {
  return !s.scope.empty() && (s.kind == SymbolKind::kMethod || s.kind == SymbolKind::kField ||
                              s.kind == SymbolKind::kProperty);
}

std::string shown(const Symbol& s) {
  return s.path + ":" + std::to_string(s.line + 1) + ":" + std::to_string(s.column + 1) + " (" +
         std::string(to_string(s.kind)) + " " +
         (s.scope.empty()
              ? ""
              : s.scope +
                    std::string(indexer::language_info(indexer::language_of(s.path)).separator)) +
         s.name + ")";
}

std::string qualified(const Symbol& s) {
  if (s.scope.empty()) return s.name;
  return s.scope + std::string(indexer::language_info(indexer::language_of(s.path)).separator) +
         s.name;
}

// Two definitions are one symbol: declared and defined, overloads, re-opened namespaces.
bool same_symbol(const Symbol& a, const Symbol& b) {
  if (!same_family(indexer::language_of(a.path), indexer::language_of(b.path))) return false;
  if (a.path != b.path && (!a.exported || !b.exported)) return false;
  if (a.scope == b.scope) return is_member(a) == is_member(b);
  // A C++ definition outside its class names the class, and leaves out the namespaces around it.
  const auto ends = [](const std::string& longer, const std::string& shorter) {
    return !shorter.empty() && longer.size() > shorter.size() && longer.ends_with(shorter) &&
           longer[longer.size() - shorter.size() - 1] == ':';
  };
  return ends(a.scope, b.scope) || ends(b.scope, a.scope);
}

std::vector<Symbol> named(const indexer::Snapshot& snapshot, const std::string& name) {
  return snapshot.definitions(name, kMaxDefinitions);
}

// Names of the classes that this class inherits from, or that inherit from it, to any depth.
void add_relatives(const indexer::Snapshot& snapshot, std::set<std::string>& classes,
                   const std::vector<Symbol>& methods) {
  const auto bases_of = [&](const std::string& name) {
    std::set<std::string> out;
    for (const auto& d : snapshot.definitions(name, 50)) {
      if (!is_type(d.kind)) continue;
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

}  // namespace

std::string_view to_string(Place place) {
  switch (place) {
    case Place::kCode:
      return "code";
    case Place::kComment:
      return "comment";
    case Place::kString:
      return "string";
  }
  return "code";
}

bool same_family(Language a, Language b) {
  return indexer::family_of(a) == indexer::family_of(b);
}

namespace {

Result<std::vector<Symbol>> choose(const indexer::Snapshot& snapshot, const RenameTarget& target,
                                   std::vector<Symbol>& all) {
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
    all = named(snapshot, best.name);
    chosen.push_back(best);
  } else {
    all = named(snapshot, name);
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
               return is_type(c.kind) && qualified(c) == s.scope;
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
    if (++count <= 8) others += "; " + shown(s);
  }
  if (count > 0) {
    return make_error(
        Code::kInvalidArgument,
        std::to_string(count + 1) + " symbols are called " + target.name +
            ": say which by its scope or with --at FILE:LINE:COL: " + shown(group[0]) + others);
  }
  return group;
}

Result<ParsedFile> parse(const indexer::Snapshot& snapshot, indexer::Extractor& extractor,
                         const indexer::FileInfo& info) {
  ParsedFile out;
  out.path = info.path;
  out.language = info.language;
  AMBIT_TRY(text, snapshot.text(info.path));
  out.text = std::move(text);
  out.blob = indexer::hash_blob(out.text);  // a buffer's content is not the file's
  if (auto facts = extractor.extract(out.language, out.text)) out.facts = std::move(*facts);
  return out;
}

// A use of the new name would mean something else, or the other way round.
Result<void> check_collisions(const indexer::Snapshot& snapshot, const RenameGroup& g,
                              const std::string& new_name, const ParsedFile& f,
                              const std::vector<RenameSite>& sites) {
  for (const auto& d : f.facts.definitions) {
    if (std::string_view(f.text).substr(d.name.begin, d.name.size()) != new_name) continue;
    // A member or file-level symbol of the new name beside a site that is no member access.
    for (const auto& s : sites) {
      if (s.place != Place::kCode || s.confidence < kSureConfidence) continue;
      const bool plain = !g.member && d.parent < 0;
      if (plain) {
        return make_error(Code::kInvalidArgument, new_name + " is taken: " + f.path + ":" +
                                                      std::to_string(d.line + 1) +
                                                      " defines it, and uses " + g.name + " too");
      }
    }
  }
  for (const auto& l : f.facts.locals) {
    if (std::string_view(f.text).substr(l.name.begin, l.name.size()) != new_name) continue;
    for (const auto& s : sites) {
      if (s.place != Place::kCode || s.confidence < kSureConfidence) continue;
      if (s.span.begin < l.within.begin || s.span.end > l.within.end) continue;
      const auto before = s.span.begin > 0 ? f.text[s.span.begin - 1] : ' ';
      const auto two = s.span.begin > 1 ? f.text[s.span.begin - 2] : ' ';
      if (before == '.' || (before == '>' && two == '-') || before == ':') continue;
      return make_error(Code::kInvalidArgument, "the variable " + new_name + " in " + f.path + ":" +
                                                    std::to_string(l.line + 1) +
                                                    " would hide it from line " +
                                                    std::to_string(s.line + 1));
    }
  }
  static_cast<void>(snapshot);
  return {};
}

// Files that are not read as this language (documents, build files) and name the symbol.
void note_other_files(const indexer::Snapshot& snapshot, const RenameGroup& g,
                      std::vector<std::string>& notes) {
  const auto found = snapshot.search(g.name, false, 2000);
  if (!found) return;
  std::set<std::string> files;
  for (const auto& m : *found) {
    const auto end = m.column + g.name.size();
    const auto& line = m.line_text;
    const bool whole = end <= line.size() && (m.column == 0 || !word_byte(line[m.column - 1])) &&
                       (end == line.size() || !word_byte(line[end]));
    const auto info = snapshot.file(m.path);
    if (whole && info && !same_family(info->language, g.language)) files.insert(m.path);
  }
  if (files.empty()) return;
  std::string words;
  for (const auto& f : files) {
    if (words.size() > 400) {
      words += ", …";
      break;
    }
    words += (words.empty() ? "" : ", ") + f;
  }
  notes.push_back("also named in " + std::to_string(files.size()) +
                  " files of other kinds, which stay as they are: " + words);
}

}  // namespace

std::string new_words(const RenameSite& site, const Rename& rename) {
  if (!site.before.empty()) return rename.old_name + site.before + rename.new_name;
  if (!site.after.empty()) return rename.new_name + site.after + rename.old_name;
  return rename.new_name;
}

Result<Rename> plan_rename(const indexer::Snapshot& snapshot, const RenameTarget& target,
                           const std::string& new_name, const std::vector<std::string>& paths,
                           std::stop_token stop) {
  std::vector<Symbol> all;
  AMBIT_TRY(chosen, choose(snapshot, target, all));
  RenameGroup g;
  g.definitions = std::move(chosen);
  const auto first = g.definitions[0];
  g.name = first.name.starts_with('~') ? first.name.substr(1) : first.name;
  const auto info = snapshot.file(first.path);
  g.language = info ? info->language : indexer::language_of(first.path);
  g.type = is_type(first.kind);
  g.member = is_member(first) || (first.kind == SymbolKind::kConstructor);
  g.file_local = !first.exported && !g.member && !first.declaration_only;
  if (first.name == new_name) {
    return make_error(Code::kInvalidArgument, "the new name is the old one");
  }
  if (!is_identifier(g.name, g.language)) {
    return make_error(Code::kInvalidArgument, g.name + " is no name that can be changed");
  }
  for (const auto& d : g.definitions) {
    const auto i = snapshot.file(d.path);
    if (!is_identifier(new_name, i ? i->language : g.language)) {
      return make_error(Code::kInvalidArgument,
                        "'" + new_name + "' is not a name in " +
                            std::string(indexer::language_info(g.language).name));
    }
  }
  const auto in_group = [&](const Symbol& s) {
    return std::any_of(g.definitions.begin(), g.definitions.end(), [&](const Symbol& d) {
      return d.path == s.path && d.name_span == s.name_span;
    });
  };
  const bool local = std::none_of(all.begin(), all.end(), in_group);
  if (g.member && !local) {
    std::vector<Symbol> methods;
    for (const auto& s : all) {
      if (is_member(s) && same_family(indexer::language_of(s.path), g.language))
        methods.push_back(s);
    }
    for (const auto& d : g.definitions) g.owners.insert(last_name(d.scope));
    add_relatives(snapshot, g.owners, methods);
    for (const auto& s : methods) {
      if (!in_group(s) && g.owners.contains(last_name(s.scope))) g.definitions.push_back(s);
    }
  }
  Rename out;
  if (g.type) {
    // Constructors and destructors carry the name of their class.
    const auto with = [&](const std::string& name) {
      for (const auto& s : named(snapshot, name)) {
        if (!in_group(s) && last_name(s.scope) == g.name &&
            same_family(indexer::language_of(s.path), g.language)) {
          g.definitions.push_back(s);
        }
      }
    };
    with(g.name);
    with("~" + g.name);
  }
  // The index of the new name: is it taken where the symbol lives?
  if (!local) {
    for (const auto& s : named(snapshot, new_name)) {
      if (!same_family(indexer::language_of(s.path), g.language)) continue;
      for (const auto& d : g.definitions) {
        const bool apart = s.path != d.path && (!s.exported || !d.exported);
        const bool folders = g.language == Language::kGo || g.language == Language::kPython ||
                             g.language == Language::kRust ||
                             same_family(g.language, Language::kJava) ||
                             same_family(g.language, Language::kJavaScript);
        // Modules and packages have names of their own.
        const auto folder = [](const std::string& p) { return p.substr(0, p.rfind('/') + 1); };
        const bool elsewhere =
            folders && (g.language == Language::kGo || same_family(g.language, Language::kJava)
                            ? folder(s.path) != folder(d.path)
                            : s.path != d.path);
        if (s.scope == d.scope && !apart && !elsewhere) {
          return make_error(Code::kInvalidArgument, new_name + " is taken: " + shown(s));
        }
      }
    }
  }
  for (const auto& s : all) {
    if (!in_group(s) && same_family(indexer::language_of(s.path), g.language) &&
        !(is_member(s) && !g.member && same_family(g.language, Language::kC))) {
      g.only = false;
    }
  }
  out.old_name = g.name;
  out.new_name = new_name;
  out.symbol = local ? g.name : qualified(first);
  indexer::Extractor extractor;
  Visibility visibility(snapshot, g);
  const auto below = [&](const std::string& path) {
    return paths.empty() || std::any_of(paths.begin(), paths.end(), [&](std::string p) {
             while (p.ends_with('/')) p.pop_back();
             return p.empty() || p == "." || path == p || path.starts_with(p + "/");
           });
  };
  std::size_t outside = 0;
  for (const auto& i : snapshot.files()) {
    if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
    if (i.language == Language::kNone || !same_family(i.language, g.language)) continue;
    if (!i.skipped.empty() && i.skipped != "generated" && i.skipped != "vendored") continue;
    if ((local || g.file_local) && i.path != first.path) continue;
    const auto text = snapshot.text(i.path);
    if (!text || text->find(g.name) == std::string::npos) continue;
    AMBIT_TRY(f, parse(snapshot, extractor, i));
    if (local && !g.local) {
      for (const auto& l : f.facts.locals) {
        if (l.name == first.name_span) g.local = l;
      }
      if (!g.local) return make_error(Code::kNotFound, "there is no variable at this place");
    }
    auto sites = find_sites(snapshot, f, g, visibility);
    if (sites.empty()) continue;
    if (!below(i.path)) {
      outside +=
          static_cast<std::size_t>(std::count_if(sites.begin(), sites.end(), [](const auto& s) {
            return s.place == Place::kCode && s.confidence >= kSureConfidence;
          }));
      continue;
    }
    AMBIT_CHECK_OK(check_collisions(snapshot, g, new_name, f, sites));
    out.files.push_back({i.path, f.blob, std::move(sites)});
  }
  if (outside > 0) {
    out.notes.push_back(std::to_string(outside) + " uses outside of --paths keep the old name");
  }
  if (!local && !g.file_local) note_other_files(snapshot, g, out.notes);
  if (g.language == Language::kGo) {
    const auto upper = [](const std::string& n) { return n[0] >= 'A' && n[0] <= 'Z'; };
    if (upper(g.name) != upper(new_name)) {
      out.notes.push_back("the first letter decides who sees a name in Go: it changes here");
    }
  }
  out.definitions = std::move(g.definitions);
  return out;
}

}  // namespace ambit::daemon
