#include "daemon/assists/refactor/rename_sites.h"

#include <algorithm>
#include <array>

#include "indexer/search/snapshot.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;

namespace {

bool c_family(Language l) {
  return l == Language::kC || l == Language::kCpp || l == Language::kCuda;
}
bool script_family(Language l) {
  return l == Language::kJavaScript || l == Language::kTypeScript || l == Language::kTsx;
}

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}
std::string_view base_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}
std::string_view stem_of(std::string_view path) {
  const auto base = base_of(path);
  return base.substr(0, base.find('.'));
}

bool has_word(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at == 0 || !word_byte(text[at - 1])) && (end == text.size() || !word_byte(text[end]))) {
      return true;
    }
  }
  return false;
}

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

struct Around {
  bool member = false;    // x.name, x->name
  bool scoped = false;    // x::name
  std::string qualifier;  // x, "" when it is no plain name
  std::size_t qualifier_at = 0;
};

Around around(std::string_view text, std::size_t begin, Language language) {
  Around out;
  auto at = begin;
  const auto skip = [&] {
    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t')) --at;
  };
  // Elsewhere an arrow leads to a type or a body.
  const bool arrow = c_family(language) || language == Language::kPhp;
  if (arrow && at >= 2 && text.substr(at - 2, 2) == "->") {
    at -= 2;
    out.member = true;
    const auto stop = at;
    while (at > 0 && word_byte(text[at - 1])) --at;
    out.qualifier = text.substr(at, stop - at);
    out.qualifier_at = at;
    return out;
  }
  skip();
  if (at >= 2 && (text.substr(at - 2, 2) == "?." || text.substr(at - 2, 2) == "!.")) {
    out.member = true;
    at -= 2;
  } else if (at >= 1 && text[at - 1] == '.' && !(at >= 2 && text[at - 2] == '.')) {
    out.member = true;
    at -= 1;
    // A chain over lines: the receiver stands at the end of an earlier line.
    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t' || text[at - 1] == '\n' ||
                      text[at - 1] == '\r')) {
      --at;
    }
  } else if (at >= 2 && text.substr(at - 2, 2) == "::") {
    out.scoped = true;
    at -= 2;
  } else {
    return out;
  }
  const auto end = at;
  while (at > 0 && word_byte(text[at - 1])) --at;
  out.qualifier = text.substr(at, end - at);
  out.qualifier_at = at;
  return out;
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

// The words that declare a variable: its line up to the name, or behind it up to "=" (name: Type).
std::string declaration_of(std::string_view text, ByteSpan name, Language language) {
  auto begin = name.begin;
  while (begin > 0 && text[begin - 1] != '\n' && text[begin - 1] != ';' && text[begin - 1] != '{' &&
         text[begin - 1] != '(' && name.begin - begin < 200) {
    if (text[begin - 1] == ',' &&
        std::count(text.begin() + begin, text.begin() + name.begin, '>') ==
            std::count(text.begin() + begin, text.begin() + name.begin, '<')) {
      break;
    }
    --begin;
  }
  std::size_t end = name.end;
  const std::string_view stops = c_family(language) ? ";,)\n" : ",)\n";
  while (end < text.size() && stops.find(text[end]) == std::string_view::npos &&
         end - name.end < 200) {
    ++end;
  }
  return std::string(text.substr(begin, end - begin));
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

}  // namespace

bool word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

std::string last_name(std::string_view scope) {
  auto at = scope.size();
  while (at > 0 && scope[at - 1] != ':' && scope[at - 1] != '.') --at;
  auto out = scope.substr(at);
  return std::string(out.substr(0, out.find('<')));
}

Visibility::Visibility(const indexer::Snapshot& snapshot, const RenameGroup& group)
    : snapshot_(snapshot), group_(group) {
  for (const auto& d : group.definitions) targets_.insert(d.path);
  for (const auto& f : snapshot.files()) by_name_[std::string(base_of(f.path))].push_back(f.path);
}

// Files of the repository that #include "…" and <…> of a file may name.
const std::vector<std::string>& Visibility::includes_of(const std::string& path) {
  const auto [it, fresh] = includes_.try_emplace(path);
  if (!fresh) return it->second;
  const auto text = snapshot_.text(path);
  if (!text) return it->second;
  for (auto pos = text->find('#'); pos != std::string::npos; pos = text->find('#', pos + 1)) {
    auto rest = std::string_view(*text).substr(pos + 1, 300);
    const auto skip = [&] {
      while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
    };
    skip();
    if (!rest.starts_with("include")) continue;
    rest.remove_prefix(7);
    skip();
    if (rest.empty() || (rest.front() != '"' && rest.front() != '<')) continue;
    const auto close = rest.find(rest.front() == '"' ? '"' : '>', 1);
    if (close == std::string_view::npos) continue;
    auto name = rest.substr(1, close - 1);
    while (name.starts_with("../") || name.starts_with("./")) {
      name.remove_prefix(name.find('/') + 1);
    }
    const auto found = by_name_.find(std::string(base_of(name)));
    if (found == by_name_.end()) continue;
    for (const auto& candidate : found->second) {
      if (candidate.ends_with(name)) it->second.push_back(candidate);
    }
  }
  return it->second;
}

// C and C++: the transitive closure of includes. Without recursion: chains are long, and may be
// circles.
bool Visibility::reaches(const std::string& path) {
  if (targets_.contains(path)) return true;
  if (const auto it = reaches_.find(path); it != reaches_.end()) return it->second;
  std::set<std::string> seen{path};
  std::vector<std::string> queue{path};
  bool found = false;
  while (!queue.empty() && !found) {
    const auto at = queue.back();
    queue.pop_back();
    if (const auto it = reaches_.find(at); it != reaches_.end()) {
      found = it->second;
      continue;
    }
    for (const auto& next : includes_of(at)) {
      if (targets_.contains(next)) found = true;
      if (seen.insert(next).second) queue.push_back(next);
    }
  }
  reaches_[path] = found;
  return found;
}

int Visibility::of(const ParsedFile& f) {
  if (targets_.contains(f.path)) return 2;
  const auto& text = f.text;
  if (c_family(f.language)) return reaches(f.path) ? 2 : 0;
  const bool by_folder = f.language == Language::kGo || f.language == Language::kJava ||
                         f.language == Language::kKotlin || f.language == Language::kScala ||
                         f.language == Language::kCSharp || f.language == Language::kSwift;
  for (const auto& target : targets_) {
    if (by_folder && folder_of(target) == folder_of(f.path)) return 2;
  }
  int best = f.language == Language::kCSharp || f.language == Language::kSwift ||
                     f.language == Language::kRuby || f.language == Language::kPhp ||
                     f.language == Language::kLua || f.language == Language::kBash
                 ? 1
                 : 0;
  for (const auto& i : f.facts.imports) {
    const auto statement = std::string_view(text).substr(i.statement.begin, i.statement.size());
    auto module = std::string_view(text).substr(i.module.begin, i.module.size());
    const bool names_it = has_word(statement, group_.name) || has_word(module, group_.name);
    for (const auto& target : targets_) {
      const auto folder = base_of(folder_of(target));
      const bool fits = has_word(module, stem_of(target)) || has_word(module, folder) ||
                        module.find(stem_of(target)) != std::string_view::npos;
      if (fits) best = 2;
    }
    if (names_it) best = std::max(best, 1);
    // "from . import x", "use super::*", "import './'": the folder itself.
    if (module == "." || module == ".." || module.find("super") != std::string_view::npos ||
        module.find("self") != std::string_view::npos || module.starts_with("\"./") ||
        module.starts_with("'./") || module.starts_with("'../") || module.starts_with("\"../") ||
        module.starts_with(".") || module.find("crate") != std::string_view::npos) {
      best = std::max(best, 1);
    }
  }
  return best;
}

namespace {

// struct name, class name …
bool tagged(std::string_view text, std::size_t begin) {
  auto before = text.substr(0, begin);
  while (!before.empty() && (before.back() == ' ' || before.back() == '\t'))
    before.remove_suffix(1);
  for (const std::string_view tag : {"struct", "class", "union", "enum"}) {
    if (before.ends_with(tag) &&
        (before.size() == tag.size() || !word_byte(before[before.size() - tag.size() - 1]))) {
      return true;
    }
  }
  return false;
}

// The key of an object, a struct or a keyword argument: a name of another kind.
bool is_key(std::string_view text, ByteSpan at, Language language) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  auto before = static_cast<std::size_t>(at.begin), after = static_cast<std::size_t>(at.end);
  while (before > 0 && blank(text[before - 1])) --before;
  while (after < text.size() && blank(text[after])) ++after;
  if (before == 0 || after >= text.size()) return false;
  const char left = text[before - 1], right = text[after];
  const char next = after + 1 < text.size() ? text[after + 1] : ' ';
  if (language == Language::kPython) {
    return (left == '(' || left == ',') && right == '=' && next != '=';
  }
  if (script_family(language) || language == Language::kRust || language == Language::kGo) {
    return (left == '{' || left == ',') && right == ':' && next != ':' && next != '=';
  }
  return false;
}

// 1: an import that brings this qualifier names the symbol's module; 0: it names another one;
// -1: nothing says.
int module_fits(const ParsedFile& f, const std::string& qualifier, const RenameGroup& g) {
  int best = -1;
  for (const auto& i : f.facts.imports) {
    const auto text = std::string_view(f.text);
    auto module = text.substr(i.module.begin, i.module.size());
    while (!module.empty() && (module.front() == '"' || module.front() == '\'')) {
      module.remove_prefix(1);
    }
    while (!module.empty() && (module.back() == '"' || module.back() == '\'')) {
      module.remove_suffix(1);
    }
    const auto statement = text.substr(i.statement.begin, i.statement.size());
    auto last = module.substr(std::min(module.size(), module.find_last_of("/.:") + 1));
    if (last.size() < 4 && last.starts_with('v') && f.language == Language::kGo) {  // …/store/v2
      const auto shorter = module.substr(0, module.size() - last.size() - 1);
      last = shorter.substr(std::min(shorter.size(), shorter.find_last_of('/') + 1));
    }
    // Go brings a package under its last name, or under the word in front of the path.
    const auto line = text.rfind('\n', i.module.begin);
    const auto alias =
        text.substr(line == std::string_view::npos ? 0 : line + 1,
                    i.module.begin - (line == std::string_view::npos ? 0 : line + 1));
    const bool brings = f.language == Language::kGo
                            ? has_word(alias, qualifier) || last == qualifier
                            : has_word(statement, qualifier);
    if (!brings) continue;
    bool fits = false;
    for (const auto& d : g.definitions) {
      const auto folder = base_of(folder_of(d.path));
      if (f.language == Language::kGo) {
        const auto whole = folder_of(d.path);
        // The module's root has a path of its own; folders below it end alike.
        fits = fits || whole.empty() || module.ends_with(whole) || whole.ends_with(module) ||
               (folder == last && module.find('.') != std::string_view::npos);
      } else {
        fits = fits || has_word(statement, stem_of(d.path)) || has_word(statement, folder) ||
               module.starts_with(".") || module.starts_with("crate") ||
               module.starts_with("super");
      }
    }
    best = std::max(best, fits ? 1 : 0);
  }
  return best;
}

// Judges one mention in code. why: for people.
float judge(const indexer::Snapshot& snapshot, const ParsedFile& f, const RenameGroup& g,
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
  if (g.member) {
    if (g.owners.contains(a.qualifier)) {
      why = "named with its class";
      return 0.95F;
    }
    if (self || (!a.member && !a.scoped)) {
      if (inside_owner()) {
        why = "inside its class";
        return 0.93F;
      }
      if (self) return g.only ? 0.3F : 0.1F;
      if (a.qualifier.empty() && !a.member && !g.only) return 0.2F;
      why = "plain name outside its class";
      return c_family(f.language) ? 0.4F : 0.3F;
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
    if (!g.only) {
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

// Inside braces of an object or a pattern, with nothing but the name between its separators.
bool is_shorthand(std::string_view text, ByteSpan at, Language language) {
  if (!script_family(language) && language != Language::kRust) return false;
  auto before = static_cast<std::size_t>(at.begin), after = static_cast<std::size_t>(at.end);
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (before > 0 && blank(text[before - 1])) --before;
  while (after < text.size() && blank(text[after])) ++after;
  if (before == 0 || after >= text.size()) return false;
  if (text[before - 1] != '{' && text[before - 1] != ',') return false;
  if (text[after] != '}' && text[after] != ',') return false;
  int depth = 0;
  for (auto i = before; i-- > 0;) {
    const char c = text[i];
    if (c == ')' || c == ']' || c == '}') ++depth;
    if (c != '(' && c != '[' && c != '{') continue;
    if (depth-- > 0) continue;
    if (c != '{') return false;
    // ${name} in a template, <b>{name}</b> and prop={name} in JSX, => {name}: expressions.
    const char left = i > 0 ? text[i - 1] : ' ';
    const bool jsx = language == Language::kTsx || language == Language::kJavaScript;
    if (left == '$' || left == '>' || (left == '=' && jsx)) return false;
    auto line = i;
    while (line > 0 && text[line - 1] != '\n' && text[line - 1] != ';') --line;
    auto head = text.substr(line, i - line);
    while (!head.empty() && blank(head.front())) head.remove_prefix(1);
    while (!head.empty() && blank(head.back())) head.remove_suffix(1);
    return !head.starts_with("import") && head != "export" && head != "export type" &&
           !head.starts_with("use ") && !head.starts_with("pub use ");
  }
  return false;
}

// The name of a parameter in a prototype: no function has it as a variable, so the facts do not
// either. Parses the file when it is asked for the first time.
class PrototypeParameters {
 public:
  explicit PrototypeParameters(const ParsedFile& file) : file_(file) {}
  [[nodiscard]] bool contain(ByteSpan at) {
    if (!c_family(file_.language) || !could_be(at)) return false;
    if (!tree_) tree_ = indexer::SyntaxTree::parse(file_.language, file_.text);
    if (!*tree_) return false;
    const auto& tree = **tree_;
    auto child = tree.around(at);
    while (tree[child].field == "declarator" && tree[child].parent != indexer::kNoNode) {
      child = tree[child].parent;
      if (tree[child].type.ends_with("parameter_declaration")) return true;
    }
    // The grammar gives the name behind a reference no field.
    const auto above = tree[child].parent;
    return above != indexer::kNoNode && tree[above].type == "reference_declarator" &&
           tree[above].parent != indexer::kNoNode &&
           tree[tree[above].parent].type.ends_with("parameter_declaration");
  }

 private:
  // Behind a type, and before what may follow a parameter's name.
  [[nodiscard]] bool could_be(ByteSpan at) const {
    const std::string_view text = file_.text;
    auto before = static_cast<std::size_t>(at.begin), after = static_cast<std::size_t>(at.end);
    while (before > 0 && (text[before - 1] == ' ' || text[before - 1] == '\n')) --before;
    while (after < text.size() && (text[after] == ' ' || text[after] == '\n')) ++after;
    if (before == 0 || after >= text.size()) return false;
    const char left = text[before - 1];
    return (word_byte(left) || left == '&' || left == '*' || left == '>') &&
           std::string_view(",)=[").find(text[after]) != std::string_view::npos;
  }
  const ParsedFile& file_;
  std::optional<Result<indexer::SyntaxTree>> tree_;
};

}  // namespace

std::vector<RenameSite> find_sites(const indexer::Snapshot& snapshot, const ParsedFile& f,
                                   const RenameGroup& g, Visibility& visibility) {
  const std::string_view text = f.text;
  std::vector<RenameSite> out;
  std::map<std::uint32_t, bool> code;  // position -> does the grammar name it
  for (const auto& m : f.facts.mentions) {
    // A destructor or a generic type may be one mention around the word.
    const auto words = text.substr(m.span.begin, m.span.size());
    const auto inner = words == g.name ? 0 : words == "~" + g.name ? 1 : std::string_view::npos;
    if (inner != std::string_view::npos) {
      code[m.span.begin + static_cast<std::uint32_t>(inner)] = true;
    }
  }
  std::set<std::uint32_t> defined, others;
  for (const auto& d : g.definitions) {
    if (d.path == f.path) {
      const auto words = text.substr(d.name_span.begin, d.name_span.size());
      defined.insert(d.name_span.begin + (words.starts_with('~') ? 1U : 0U));
    }
  }
  for (const auto& d : f.facts.definitions) {
    if (text.substr(d.name.begin, d.name.size()) == g.name && !defined.contains(d.name.begin)) {
      others.insert(d.name.begin);
    }
  }
  for (const auto& l : f.facts.locals) {
    if (text.substr(l.name.begin, l.name.size()) == g.name) code.try_emplace(l.name.begin, true);
  }
  std::set<std::uint32_t> lexical;  // outside comments and strings, as far as bytes tell
  indexer::find_mentions(text, f.language, g.name,
                         [&](ByteSpan span, std::uint32_t, std::uint32_t, indexer::ReferenceKind) {
                           lexical.insert(span.begin);
                           return true;
                         });
  PrototypeParameters parameters(f);
  std::uint32_t line = 0;
  std::size_t line_start = 0, counted = 0;
  for (auto at = text.find(g.name); at != std::string_view::npos; at = text.find(g.name, at + 1)) {
    const auto end = at + g.name.size();
    if ((at > 0 && word_byte(text[at - 1])) || (end < text.size() && word_byte(text[end])))
      continue;
    for (; counted < at; ++counted) {
      if (text[counted] == '\n') {
        ++line;
        line_start = counted + 1;
      }
    }
    RenameSite s;
    s.span = {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end)};
    s.line = line;
    s.column = static_cast<std::uint32_t>(at - line_start);
    const bool in_module =
        std::any_of(f.facts.imports.begin(), f.facts.imports.end(), [&](const indexer::Import& i) {
          const auto m = text.substr(i.module.begin, i.module.size());
          return i.module.begin <= s.span.begin && s.span.end <= i.module.end &&
                 (m.starts_with('"') || m.starts_with('\'') || m.starts_with('<'));
        });
    if (in_module) continue;  // the name of a file
    const bool shorthand = is_shorthand(text, s.span, f.language);
    if (others.contains(s.span.begin) && !shorthand) continue;
    if (defined.contains(s.span.begin) && !shorthand) {
      s.definition = true;
      s.confidence = 1;
      s.why = "definition";
      out.push_back(s);
      continue;
    }
    const auto known = code.find(s.span.begin);
    const bool named = known != code.end();
    if (named || shorthand || lexical.contains(s.span.begin)) {
      if (!g.local && parameters.contain(s.span)) continue;
      s.confidence = judge(snapshot, f, g, visibility, s.span, named, s.why);
      if (s.confidence <= 0) continue;
      // Seen by bytes alone: sure only where such text cannot be part of a string.
      if (!named && !shorthand && !c_family(f.language) && f.language != Language::kPython) {
        s.confidence = std::min(s.confidence, 0.5F);
        s.why = "in text that the grammar does not name";
      }
      if (shorthand) (g.member ? s.after : s.before) = ": ";
      out.push_back(s);
      continue;
    }
    const auto before = text.substr(line_start, at - line_start);
    s.place = std::count(before.begin(), before.end(), '"') % 2 != 0 ||
                      std::count(before.begin(), before.end(), '\'') % 2 != 0 ||
                      std::count(before.begin(), before.end(), '`') % 2 != 0
                  ? Place::kString
                  : Place::kComment;
    s.confidence = 0.5F;
    s.why = s.place == Place::kString ? "in a string" : "in a comment";
    out.push_back(s);
  }
  return out;
}

}  // namespace ambit::daemon
