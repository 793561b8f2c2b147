#include "daemon/assists/refactor/rename.h"

#include <algorithm>
#include <set>

#include "daemon/assists/refactor/asked_elsewhere.h"
#include "daemon/assists/refactor/edits.h"
#include "daemon/assists/refactor/go_interfaces.h"
#include "daemon/assists/refactor/rename_sites.h"
#include "daemon/assists/refactor/rename_target.h"
#include "daemon/assists/refactor/rust_traits.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/visibility.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {

using indexer::Language;
using indexer::Symbol;
using indexer::SymbolKind;

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
  AMBIT_TRY(chosen, choose_symbol(snapshot, target, all));
  RenameGroup g;
  g.definitions = std::move(chosen);
  const auto first = g.definitions[0];
  g.name = first.name.starts_with('~') ? first.name.substr(1) : first.name;
  const auto info = snapshot.file(first.path);
  g.language = info ? info->language : indexer::language_of(first.path);
  g.type = is_type_kind(first.kind);
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
  Rename out;
  if (g.member && !local) {
    std::vector<Symbol> methods;
    for (const auto& s : all) {
      if (is_member(s) && same_family(indexer::language_of(s.path), g.language) &&
          same_namespace(s, first)) {
        methods.push_back(s);
      }
    }
    for (const auto& d : g.definitions) g.owners.insert(last_name(d.scope));
    add_relatives(snapshot, g.owners, methods);
    for (const auto& s : methods) {
      if (!in_group(s) && g.owners.contains(last_name(s.scope))) g.definitions.push_back(s);
    }
    if (g.language == Language::kGo && first.kind == SymbolKind::kMethod) {
      AMBIT_CHECK_OK(add_tied_go_methods(snapshot, g.definitions, g.owners, out.tied, stop));
    } else if (g.language == Language::kRust) {
      AMBIT_CHECK_OK(add_tied_rust_methods(snapshot, g.definitions));
    }
    for (const auto& d : g.definitions) g.owners.insert(last_name(d.scope));
    AMBIT_CHECK_OK(check_not_asked_elsewhere(snapshot, g.definitions));
  }
  if (g.type) {
    // Constructors and destructors carry the name of their class.
    const auto with = [&](const std::string& name) {
      for (const auto& s : definitions_of(snapshot, name)) {
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
    for (const auto& s : definitions_of(snapshot, new_name)) {
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
          return make_error(Code::kInvalidArgument, new_name + " is taken: " + shown_place(s));
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
  out.symbol = local ? g.name : qualified_name(first);
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
    // go vet wants an example to be named after something that is there.
    const auto example = "func Example" + (first.scope.empty() ? "" : first.scope + "_") + g.name;
    const auto examples = snapshot.search(example, false, 10);
    for (const auto& m : examples ? *examples : std::vector<indexer::TextMatch>()) {
      const auto behind = m.column + example.size();
      if (behind < m.line_text.size() && m.line_text[behind] != '(' && m.line_text[behind] != '_') {
        continue;
      }
      out.notes.push_back(m.path + ":" + std::to_string(m.line + 1) +
                          " is an example that is named after it, and keeps its name");
    }
    const auto upper = [](const std::string& n) { return n[0] >= 'A' && n[0] <= 'Z'; };
    if (upper(g.name) != upper(new_name)) {
      out.notes.push_back("the first letter decides who sees a name in Go: it changes here");
    }
  }
  if (g.language == Language::kJava && g.type && first.scope.empty() && !local &&
      stem_of(first.path) == g.name) {
    const auto folder = first.path.substr(0, first.path.rfind('/') + 1);
    out.notes.push_back(first.path + " has to be called " + new_name +
                        ".java then: apply this, and plan \"move " + new_name + " to " + folder +
                        new_name + ".java\"");
  }
  out.definitions = std::move(g.definitions);
  return out;
}

}  // namespace ambit::daemon
