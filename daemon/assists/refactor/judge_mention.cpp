#include "daemon/assists/refactor/judge_mention.h"

#include <algorithm>
#include <array>

#include "daemon/assists/refactor/site_text.h"
#include "indexer/search/receiver_types.h"
#include "indexer/search/snapshot.h"
#include "indexer/search/type_names.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;

namespace {

// Members that every library has: a receiver of unknown type is then more likely another's.
bool common_member(std::string_view name) {
  static constexpr std::array kNames{
      "add",     "append",    "apply",    "at",      "back",   "begin",  "bind",   "call",
      "clear",   "close",     "count",    "data",    "end",    "empty",  "erase",  "filter",
      "find",    "first",     "flush",    "forEach", "front",  "get",    "has",    "hash",
      "id",      "index",     "init",     "insert",  "items",  "join",   "key",    "keys",
      "last",    "len",       "length",   "load",    "lock",   "map",    "match",  "message",
      "name",    "next",      "open",     "path",    "pop",    "push",   "read",   "remove",
      "replace", "reset",     "resize",   "run",     "save",   "send",   "set",    "size",
      "sort",    "split",     "start",    "stop",    "str",    "string", "substr", "swap",
      "text",    "to_string", "toString", "type",    "update", "url",    "value",  "values",
      "wait",    "write",     "load",     "release", "second", "parse",  "format", "copy",
      "kind",    "line",      "state",    "status",  "error",  "code",   "result", "test",
      "c_str",   "reserve"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

const indexer::Local* local_at(const ParsedFile& f, std::string_view name, ByteSpan use) {
  const indexer::Local* best = nullptr;
  for (const auto& l : f.facts.locals) {
    if (l.within.begin > use.begin || l.within.end < use.end) continue;
    if (std::string_view(f.text).substr(l.name.begin, l.name.size()) != name) continue;
    if (best == nullptr || l.within.size() < best->within.size()) best = &l;
  }
  return best;
}

// 1: declared as one of the owners; 0: as something else; -1: cannot be told.
int declared_as(const std::string& declaration, const RenameGroup& group, Language language) {
  for (const auto& owner : group.owners) {
    if (!has_word(declaration, owner)) continue;
    // Inside <…> it is an element, unless the template only points to it.
    const auto at = declaration.find(owner);
    const auto open = declaration.substr(0, at).rfind('<');
    if (open == std::string::npos) return 1;
    for (const auto* pointer : {"ptr", "optional", "Result", "Rc", "Box", "Arc", "Option", "Ref",
                                "Mutex", "RefCell", "Optional", "Promise", "reference_wrapper"}) {
      if (declaration.substr(0, open).ends_with(pointer)) return 1;
    }
    return -1;
  }
  for (const auto* unknown : {"auto", "var", "let", "const", "val", ":=", "for", "def", "fn"}) {
    if (has_word(declaration, unknown) || declaration.find(unknown) != std::string::npos) return -1;
  }
  return c_family(language) || language == Language::kJava || language == Language::kCSharp ? 0
                                                                                            : -1;
}

// Go: whether a field is of a type that cannot be called, as far as its own line tells.
bool plain_field(const indexer::Snapshot& snapshot, const indexer::Symbol& field) {
  const auto text = snapshot.text(field.path);
  if (!text) return false;
  auto type =
      std::string_view(*text).substr(std::min<std::size_t>(field.name_span.end, text->size()));
  type = type.substr(0, type.find('\n'));
  type.remove_prefix(std::min(type.find_first_not_of(" \t"), type.size()));
  const auto word = type.substr(0, type.find_first_of(" \t}`/"));
  static constexpr std::array kPlain{"string", "bool", "byte", "rune", "error"};
  return std::find(kPlain.begin(), kPlain.end(), word) != kPlain.end() || word.starts_with('[') ||
         word.starts_with("map[") || word.starts_with("int") || word.starts_with("uint") ||
         word.starts_with("float");
}

// No other method has this name, and no field that could be called; others may have it.
bool only_method(const indexer::Snapshot& snapshot, const RenameGroup& g) {
  const auto all = snapshot.definitions(g.name, 200);
  return all.size() < 200 && std::all_of(all.begin(), all.end(), [&](const auto& s) {
           if (!same_family(indexer::language_of(s.path), g.language)) return true;
           if (s.kind == indexer::SymbolKind::kField) return plain_field(snapshot, s);
           if (s.kind != indexer::SymbolKind::kMethod) return true;
           return std::any_of(g.definitions.begin(), g.definitions.end(), [&](const auto& d) {
             return d.path == s.path && d.name_span == s.name_span;
           });
         });
}

}  // namespace

float judge_mention(const indexer::Snapshot& snapshot, const ParsedFile& f, const RenameGroup& g,
                    Visibility& visibility, ByteSpan at, bool named, std::string_view& why) {
  const std::string_view text = f.text;
  const auto a = around(text, at.begin, f.language);
  if (c_family(f.language) && tagged(text, at.begin)) {
    if (!g.type) return 0;
    if (g.only) {
      why = "named with its tag";
      return 0.9F;
    }
  } else if (!g.member && !g.local && is_key(text, at, f.language)) {
    why = "a key";
    return f.language == Language::kGo ? 0.4F : 0;
  } else if (!a.member && !a.scoped) {
    const auto* l = local_at(f, g.name, at);
    if (g.local) {
      why = "local";
      return l != nullptr && f.path == g.definitions[0].path && l->within == g.local->within ? 0.95F
                                                                                             : 0;
    }
    if (l != nullptr &&
        !(g.member && g.definitions[0].path == f.path && l->name == g.definitions[0].name_span)) {
      return 0;  // a variable of that name
    }
  } else if (g.local) {
    return 0;
  }
  if (g.file_local && f.path != g.definitions[0].path) return 0;
  const auto visible = visibility.of(f);
  // The classes around the use.
  const auto inside_owner = [&] {
    for (std::size_t i = 0; i < f.facts.definitions.size(); ++i) {
      const auto& d = f.facts.definitions[i];
      if (d.span.begin > at.begin || d.span.end < at.end) continue;
      if (g.owners.contains(std::string(text.substr(d.name.begin, d.name.size())))) return true;
      const auto scope = indexer::scope_of(text, f.language, f.facts.definitions, i);
      if (!scope.empty() && g.owners.contains(last_name(scope))) return true;
    }
    return false;
  };
  const bool self = a.qualifier == "this" || a.qualifier == "self" || a.qualifier == "cls" ||
                    a.qualifier == "super" || a.qualifier == "Self";
  if (g.member && f.language == Language::kRust && a.member) {
    // x.end is the field, x.end() and x.end::<T>() are the method.
    const auto behind = text.substr(at.end, 2);
    const bool called = behind.starts_with('(') || behind == "::";
    if (called != (g.definitions[0].kind != indexer::SymbolKind::kField)) return 0;
  }
  if (g.member) {
    if (g.owners.contains(a.qualifier)) {
      why = "named with its class";
      return 0.95F;
    }
    const bool plain = !a.member && !a.scoped;
    if (plain && (f.language == Language::kGo || f.language == Language::kRust) &&
        is_key(text, at, f.language) && g.definitions[0].kind == indexer::SymbolKind::kMethod) {
      return 0;
    }
    if (plain && named && f.language != Language::kPython &&
        !indexer::has_implicit_this(f.language) && !is_key(text, at, f.language) &&
        !is_shorthand(text, at, f.language)) {
      return 0;  // a member is reached through its object here
    }
    if (self || plain) {
      if (inside_owner()) {
        why = "inside its class";
        return 0.93F;
      }
      if (self) return g.only ? 0.3F : 0.1F;
      if (a.qualifier.empty() && !a.member && !g.only) return 0.2F;
      why = "plain name outside its class";
      return c_family(f.language) ? 0.4F : 0.3F;
    }
    const auto types =
        a.member ? indexer::receiver_types(snapshot, f.path, at.begin) : std::vector<std::string>();
    if (std::any_of(types.begin(), types.end(),
                    [&](const auto& t) { return g.owners.contains(last_name(t)); })) {
      why = "through an object of its class";
      return 0.95F;
    }
    if (!a.qualifier.empty()) {
      // A variable whose declaration can be seen: local, then field or global of this file.
      int as = -1;
      if (const auto* l =
              local_at(f, a.qualifier,
                       {static_cast<std::uint32_t>(a.qualifier_at),
                        static_cast<std::uint32_t>(a.qualifier_at + a.qualifier.size())})) {
        as = declared_as(declaration_of(text, l->name, f.language), g, f.language);
      } else {
        for (const auto& d : snapshot.definitions(a.qualifier, 20)) {
          if (!same_family(indexer::language_of(d.path), f.language)) continue;
          const auto one = declared_as(d.signature, g, f.language);
          as = std::max(as, one);
        }
      }
      if (as == 1) {
        why = "through a variable of its class";
        return 0.95F;
      }
      if (as == 0) {
        why = "through a variable of another type";
        return g.only && visible == 2 && !common_member(g.name) ? 0.65F : 0.15F;
      }
    }
    const bool call = at.end < text.size() && text[at.end] == '(';
    const bool only = g.only || (call && f.language == Language::kGo && only_method(snapshot, g));
    if (only && call && f.language == Language::kGo && visible == 2 && g.name[0] >= 'a' &&
        g.name[0] <= 'z') {
      why = "the only method of this name, and no other package has it";
      return 0.9F;
    }
    if (!only) {
      why = "other members have this name";
      return 0.4F;
    }
    if (common_member(g.name)) {
      why = "a member that many types have";
      return 0.4F;
    }
    why = "the only member of this name";
    return visible == 2 ? 0.85F : visible == 1 ? 0.72F : 0.5F;
  }
  // Not a member: function, type, constant, macro, namespace.
  if (a.member && c_family(f.language)) return 0;  // a field of the same name
  if (a.member && !a.qualifier.empty() &&
      local_at(f, a.qualifier,
               {static_cast<std::uint32_t>(a.qualifier_at),
                static_cast<std::uint32_t>(a.qualifier_at + a.qualifier.size())}) != nullptr) {
    return 0.1F;  // a member of some object
  }
  if (self) return 0.1F;
  if ((a.member || a.scoped) && !a.qualifier.empty()) {
    const auto fits = module_fits(f, a.qualifier, g);
    why = "in another module";
    if (fits == 0) return 0;
    if (a.scoped && c_family(f.language)) {
      const bool known =
          std::any_of(g.definitions.begin(), g.definitions.end(), [&](const auto& d) {
            return has_word(d.scope, a.qualifier) || has_word(d.path, a.qualifier);
          });
      if (a.qualifier == "std") return 0;
      why = "in another scope";
      if (!known) return 0.4F;
    }
  }
  if (!g.only) {
    // Several symbols have this name: the index ranks them.
    const auto found = snapshot.resolve(f.path, at.begin);
    const auto ours = [&](const indexer::Symbol& s) {
      return std::any_of(g.definitions.begin(), g.definitions.end(), [&](const auto& d) {
        return d.path == s.path && d.name_span == s.name_span;
      });
    };
    if (found.empty()) return 0.2F;
    why = "ranked first by the index";
    if (ours(found[0].symbol)) {
      // How far behind the best of the others is.
      float other = 0;
      for (const auto& r : found) {
        if (!ours(r.symbol)) other = std::max(other, r.confidence);
      }
      if (visible == 0) return 0.5F;
      return std::clamp(0.65F + (found[0].confidence - other) * 0.5F, 0.5F, 0.95F);
    }
    why = "another symbol of this name fits better";
    for (const auto& r : found) {
      if (ours(r.symbol) && found[0].confidence < 0.6F) return 0.4F;
    }
    return 0;
  }
  if (a.member && a.qualifier.empty()) {
    why = "behind an expression";
    return 0.3F;
  }
  if (c_family(f.language) && g.definitions[0].kind == indexer::SymbolKind::kNamespace &&
      (text.substr(at.end, 2) == "::" ||
       has_word(text.substr(at.begin - std::min(at.begin, 12U), std::min(at.begin, 12U)),
                "namespace"))) {
    why = "a namespace, which any file may open";
    return 0.95F;
  }
  why = visible == 2 ? "the only symbol of this name" : "does not import its file";
  const float known = named ? 0.97F : 0.9F;
  if (visible == 2) return known;
  if (visible == 1) {
    why = "the only symbol of this name; how it is imported cannot be told";
    return g.name.size() >= 4 ? 0.8F : 0.6F;
  }
  return 0.5F;
}

}  // namespace ambit::daemon
