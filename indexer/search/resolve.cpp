// What does the name under the cursor mean? Locals first, then definitions of that name ranked by
// scope, imports and distance. No types: the confidence says how sure the syntax alone can be.
#include <algorithm>
#include <map>
#include <set>

#include "indexer/search/receiver.h"
#include "indexer/search/snapshot.h"

namespace ambit::indexer {
namespace {

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view stem_of(std::string_view path) {
  const auto slash = path.rfind('/');
  auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return name.substr(0, name.find('.'));
}

// The last words of a module's name: "../a/b.js" -> "a/b", "pkg.mod" -> "pkg/mod", "a::b" -> "a/b".
std::string module_words(std::string_view m, Language language) {
  std::string out;
  const bool dots = language == Language::kPython || language == Language::kJava ||
                    language == Language::kKotlin || language == Language::kScala ||
                    language == Language::kCSharp;
  for (std::size_t i = 0; i < m.size(); ++i) {
    const char c = m[i];
    if (c == '"' || c == '\'' || c == '<' || c == '>' || c == '`') continue;
    if ((dots && c == '.') || c == ':' || c == '\\' || c == '/') {
      if (!out.empty() && out.back() != '/') out.push_back('/');
    } else if (c == '{' || c == '*' || c == ' ' || c == ';') {
      break;
    } else if (c == '.' && (out.empty() || out.back() == '/')) {
      continue;
    } else {
      out.push_back(c);
    }
  }
  while (!out.empty() && out.back() == '/') out.pop_back();
  for (const std::string_view ext :
       {".ts", ".tsx", ".js", ".jsx", ".mjs", ".h", ".hpp", ".hh", ".py"}) {
    if (!dots && out.ends_with(ext) && ext.front() == '.' && language != Language::kC &&
        language != Language::kCpp) {
      out.resize(out.size() - ext.size());
      break;
    }
  }
  return out;
}

bool path_fits(std::string_view path, std::string_view words) {
  if (words.empty()) return false;
  const auto boundary = [&](std::size_t at) { return at == 0 || path[at - 1] == '/'; };
  for (auto at = path.rfind(words); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : path.rfind(words, at - 1)) {
    const auto end = at + words.size();
    if (boundary(at) && (end == path.size() || path[end] == '.' || path[end] == '/')) return true;
  }
  return false;
}

}  // namespace

std::vector<ResolvedDefinition> SnapshotImpl::resolve(std::string_view path,
                                                      std::uint32_t offset) const {
  std::vector<ResolvedDefinition> out;
  const auto p = parsed(path);
  if (p == nullptr) return out;
  const std::string_view text = *p->text;
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  if (offset > text.size()) return out;
  std::size_t begin = offset, end = offset;
  while (begin > 0 && word(text[begin - 1])) --begin;
  while (end < text.size() && word(text[end])) ++end;
  const auto name = text.substr(begin, end - begin);
  if (name.empty()) return out;
  std::string_view before = text.substr(0, begin);
  const bool member = before.ends_with('.') || before.ends_with("->");
  std::string_view qualifier;
  if (member || before.ends_with("::")) {
    auto q = begin - (before.ends_with('.') ? 1 : 2);
    const auto q_end = q;
    while (q > 0 && word(text[q - 1])) --q;
    qualifier = text.substr(q, q_end - q);
  }

  auto kind = ReferenceKind::kOther;
  for (const auto& m : p->facts().mentions) {
    if (m.span.begin <= begin && begin < m.span.end) kind = m.kind;
  }
  const Receivers receivers(*this, path, *p);
  // A key of the object literal that the receiver is.
  const auto at_key = [&](std::uint32_t at) {
    Symbol s;
    s.path = path;
    s.name = name;
    s.kind = SymbolKind::kProperty;
    s.span = s.name_span = {at, at + static_cast<std::uint32_t>(name.size())};
    s.line = s.end_line = static_cast<std::uint32_t>(
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    const auto newline = text.rfind('\n', at);
    s.column = at - static_cast<std::uint32_t>(newline == std::string_view::npos ? 0 : newline + 1);
    s.exported = false;
    return s;
  };
  Receivers::Type receiver;
  std::vector<std::string> types;  // the receiver's and its bases'
  if (member) {
    receiver = receivers.before(begin - (before.ends_with('.') ? 1 : 2));
    if (receiver.literal != 0) {
      if (const auto key = receivers.key_of_literal(receiver.literal, name); key != 0) {
        out.push_back({at_key(key), 0.9F});
        return out;
      }
    }
    types = receivers.with_bases(receiver);
  }
  // A local of an enclosing function, the innermost and latest before the use.
  if (!member && qualifier.empty()) {
    const auto* best = receivers.local(name, begin, end);
    if (best != nullptr) {
      Symbol s;
      s.path = path;
      s.name = name;
      s.kind = SymbolKind::kVariable;
      s.span = s.name_span = best->name;
      s.line = s.end_line = best->line;
      s.column = best->column;
      s.exported = false;
      const auto line_begin = best->name.begin - best->column;
      Definition d;
      d.declaration = line_begin;
      d.signature_end =
          static_cast<std::uint32_t>(std::min(text.find('\n', best->name.begin), text.size()));
      d.name = best->name;
      s.signature = signature_of(text, d);
      out.push_back({std::move(s), 0.95F});
      return out;
    }
  }

  // package.Name in Go: the import that brings the package.
  if (!member && p->language == Language::kGo && end < text.size() && text[end] == '.') {
    for (const auto& i : p->facts().imports) {
      auto module = text.substr(i.module.begin, i.module.size());
      while (!module.empty() && (module.back() == '"' || module.back() == '`'))
        module.remove_suffix(1);
      auto last = module.substr(module.find_last_of("/\"`") + 1);
      if (last.size() > 1 && last[0] == 'v' && last[1] >= '0' && last[1] <= '9') {  // …/chi/v5
        module.remove_suffix(std::min(module.size(), last.size() + 1));
        last = module.substr(module.find_last_of("/\"`") + 1);
      }
      const auto statement = text.substr(i.statement.begin, i.statement.size());
      const auto alias = statement.substr(0, statement.find_first_of(" \t\"`"));
      if ((alias.empty() ? last : alias) != name) continue;
      auto s = at_key(i.module.begin);
      s.kind = SymbolKind::kModule;
      out.push_back({std::move(s), 0.95F});
      return out;
    }
  }

  // Enclosing scopes of the use, by name.
  std::vector<std::string> scopes;
  for (std::size_t i = 0; i < p->facts().definitions.size(); ++i) {
    const auto& d = p->facts().definitions[i];
    if (d.span.begin <= begin && end <= d.span.end) {
      auto s = scope_of(text, p->language, p->facts().definitions, i);
      if (!s.empty()) scopes.push_back(s);
      scopes.push_back((s.empty() ? s : s + std::string(language_info(p->language).separator)) +
                       std::string(text.substr(d.name.begin, d.name.size())));
    }
  }
  // Modules that this file imports; the one whose statement brings this very name counts most.
  std::vector<std::pair<std::string, bool>> modules;
  for (const auto& i : p->facts().imports) {
    const auto statement = text.substr(i.statement.begin, i.statement.size());
    bool names_it = false;
    for (auto at = statement.find(name); at != std::string_view::npos && !names_it;
         at = statement.find(name, at + 1)) {
      const auto stop = at + name.size();
      names_it = (at == 0 || !word(statement[at - 1])) &&
                 (stop == statement.size() || !word(statement[stop]));
    }
    if (!names_it && !qualifier.empty())
      names_it = statement.find(qualifier) != std::string_view::npos;
    modules.emplace_back(module_words(text.substr(i.module.begin, i.module.size()), p->language),
                         names_it);
  }

  // import { real as name }: the import says what it is called where it is defined.
  std::string_view called = name;
  if (!member) {
    for (const auto& i : p->facts().imports) {
      const auto statement = text.substr(i.statement.begin, i.statement.size());
      for (auto at = statement.find(name); at != std::string_view::npos;
           at = statement.find(name, at + 1)) {
        if (at < 4 || word(statement[at - 1]) ||
            (at + name.size() < statement.size() && word(statement[at + name.size()]))) {
          continue;
        }
        auto e = at;
        while (e > 0 && statement[e - 1] == ' ') --e;
        if (e < 3 || statement.substr(e - 2, 2) != "as" || word(statement[e - 3])) continue;
        e -= 2;
        while (e > 0 && statement[e - 1] == ' ') --e;
        auto b = e;
        while (b > 0 && word(statement[b - 1])) --b;
        if (e > b) called = statement.substr(b, e - b);
      }
    }
  }
  auto found = definitions(called, 400);
  // { name: …, other: … }: the type whose members are called like all the keys.
  const bool keyed = p->language == Language::kTypeScript || p->language == Language::kTsx ||
                     p->language == Language::kJavaScript;
  const bool never_plain_member = keyed || p->language == Language::kPython ||
                                  p->language == Language::kGo || p->language == Language::kRust;
  const auto keys = keyed && !member ? receivers.keys_around(begin) : std::set<std::string>{};
  std::map<std::pair<std::string, std::string>, double> overlaps;  // path, scope
  const auto overlap = [&](const Symbol& s) {
    const auto [it, fresh] = overlaps.try_emplace({s.path, s.scope}, 0);
    if (fresh && overlaps.size() < 40) {
      std::set<std::string> same;
      for (const auto& other : symbols_in(s.path)) {
        if (other.scope == s.scope && keys.contains(other.name)) same.insert(other.name);
      }
      it->second = static_cast<double>(same.size()) / static_cast<double>(keys.size());
    }
    return it->second;
  };
  struct Ranked {
    double score;
    std::size_t index;
    int family;
  };
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto& s = found[i];
    const auto info = base_->find(s.path);
    const auto language = info != nullptr ? info->language : language_of(s.path);
    double score = 10;
    const int family = family_of(language);
    if (family != family_of(p->language)) score -= 8;
    const bool same_file = s.path == path;
    if (same_file) score += 6;
    // The definition itself, unless it is one of several places that set the same field.
    if (same_file && begin >= s.name_span.begin && begin < s.name_span.end)
      score += member ? 0 : 20;
    if (!same_file && !s.exported) score -= 7;
    if (!same_file && folder_of(s.path) == folder_of(path)) score += 2.5;
    if (!same_file && stem_of(s.path) == stem_of(path)) score += 2;
    std::size_t shared = 0;
    while (shared < s.path.size() && shared < path.size() && s.path[shared] == path[shared])
      ++shared;
    score += 1.5 * static_cast<double>(shared) / static_cast<double>(path.size() + 1);
    for (const auto& [m, names_it] : modules) {
      auto words = std::string_view(m);
      if (path_fits(s.path, words)) {
        score += names_it ? 9 : 4;
        break;
      }
      // use a::b::Name: the module is everything before the name.
      if (const auto slash = words.rfind('/');
          slash != std::string_view::npos && path_fits(s.path, words.substr(0, slash))) {
        score += names_it ? 6 : 1;
        break;
      }
    }
    const bool is_member =
        !s.scope.empty() && (s.kind == SymbolKind::kMethod || s.kind == SymbolKind::kField ||
                             s.kind == SymbolKind::kProperty || s.kind == SymbolKind::kConstructor);
    if (!keys.empty() && is_member) {
      score += 12 * overlap(s);
    } else if (member != is_member && (p->language != Language::kGo || !member)) {
      score -= member ? 1.5 : never_plain_member ? 12 : 3;
    }
    for (std::size_t t = 0; t < types.size(); ++t) {
      const std::string_view scope = s.scope;
      if (!scope.ends_with(types[t])) continue;
      if (scope.size() > types[t].size() && word(scope[scope.size() - types[t].size() - 1]))
        continue;
      score += std::max(6.0, 14.0 - static_cast<double>(t));
      break;
    }
    if (before.ends_with("new ") && s.kind == SymbolKind::kConstructor) score += 5;
    if (member && (qualifier == "self" || qualifier == "this")) {
      for (const auto& scope : scopes) {
        if (scope == s.scope) score += 4;
      }
    } else if (!qualifier.empty()) {
      const std::string_view scope = s.scope;
      if (scope == qualifier || scope.ends_with(qualifier)) score += 6;
      if (stem_of(s.path) == qualifier || folder_of(s.path).ends_with(qualifier)) score += 4;
    } else {
      for (const auto& scope : scopes) {
        if (!scope.empty() && scope == s.scope) score += 3;
      }
    }
    const bool type = s.kind == SymbolKind::kClass || s.kind == SymbolKind::kStruct ||
                      s.kind == SymbolKind::kInterface || s.kind == SymbolKind::kEnum ||
                      s.kind == SymbolKind::kTypeAlias || s.kind == SymbolKind::kTrait ||
                      s.kind == SymbolKind::kUnion;
    if (kind == ReferenceKind::kType || kind == ReferenceKind::kInherit) score += type ? 3 : -3;
    if (kind == ReferenceKind::kCall &&
        (s.kind == SymbolKind::kField || s.kind == SymbolKind::kEnumerator))
      score -= 1;
    // In C a struct's name stands behind its keyword; a bare name is what typedef made.
    if (p->language == Language::kC && type) {
      const bool keyword =
          before.ends_with("struct ") || before.ends_with("union ") || before.ends_with("enum ");
      if (keyword != (s.kind == SymbolKind::kTypeAlias)) score += 4;
    }
    if (s.declaration_only) score -= 2;
    ranked.push_back({score, i, family});
  }
  // A body stands where its prototype is announced: what speaks for the prototype speaks for it.
  std::map<std::pair<int, std::string_view>, double> announced;
  for (const auto& r : ranked) {
    const auto& s = found[r.index];
    if (!s.declaration_only) continue;
    auto& best = announced.try_emplace({r.family, s.scope}, r.score).first->second;
    best = std::max(best, r.score);
  }
  for (auto& r : ranked) {
    const auto& s = found[r.index];
    if (s.declaration_only || (!s.exported && s.path != path)) continue;
    if (const auto it = announced.find({r.family, s.scope}); it != announced.end())
      r.score = std::max(r.score, it->second + 1);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  // new Name: the constructor, where the class writes one.
  if (!ranked.empty() && before.ends_with("new ")) {
    const auto& made = found[ranked[0].index];
    for (auto& s : symbols_in(made.path)) {
      if (s.kind != SymbolKind::kConstructor || s.name_span.begin < made.span.begin ||
          s.name_span.end > made.span.end || made.kind != SymbolKind::kClass) {
        continue;
      }
      out.push_back({std::move(s), 0.9F});
      break;
    }
  }
  const auto n = std::min<std::size_t>(ranked.size(), 20);
  // The first that is not the best's own prototype or body: its rival.
  std::size_t rival = 1;
  while (rival < ranked.size()) {
    const auto &best = found[ranked[0].index], &other = found[ranked[rival].index];
    if (ranked[rival].family != ranked[0].family || other.scope != best.scope ||
        other.kind != best.kind || other.declaration_only == best.declaration_only) {
      break;
    }
    ++rival;
  }
  for (std::size_t i = 0; i < n; ++i) {
    float confidence = 0.9F;  // the only one of its name; an estimate, not calibrated
    if (ranked.size() > rival || i > 0) {
      const double gap =
          i == 0 ? ranked[0].score - ranked[rival].score : ranked[i].score - ranked[0].score;
      confidence = static_cast<float>(std::clamp(0.5 + 0.06 * gap, 0.02, 0.9));
    }
    out.push_back({std::move(found[ranked[i].index]), confidence});
  }
  return out;
}

}  // namespace ambit::indexer
