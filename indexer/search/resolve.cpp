// What does the name under the cursor mean? Locals first, then definitions of that name, ranked.
// The confidence says how sure the syntax alone can be.
#include <algorithm>

#include "indexer/search/object_literal.h"
#include "indexer/search/ranking.h"
#include "indexer/search/unseen.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxFound = 400;
constexpr std::size_t kMaxAnswers = 20;

// A place of this file that is no definition of the index: a local, a key, an import.
Symbol here(std::string_view path, std::string_view text, std::uint32_t at, std::string_view name,
            SymbolKind kind) {
  Symbol s;
  s.path = path;
  s.name = name;
  s.kind = kind;
  s.span = s.name_span = {at, at + static_cast<std::uint32_t>(name.size())};
  s.line = s.end_line = static_cast<std::uint32_t>(
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  const auto newline = text.rfind('\n', at);
  s.column = at - static_cast<std::uint32_t>(newline == std::string_view::npos ? 0 : newline + 1);
  s.exported = false;
  return s;
}

Symbol local_symbol(std::string_view path, std::string_view text, const Local& local,
                    std::string_view name) {
  auto s = here(path, text, local.name.begin, name, SymbolKind::kVariable);
  s.span = s.name_span = local.name;
  s.line = s.end_line = local.line;
  s.column = local.column;
  Definition d;
  d.declaration = local.name.begin - local.column;
  d.signature_end =
      static_cast<std::uint32_t>(std::min(text.find('\n', local.name.begin), text.size()));
  d.name = local.name;
  s.signature = signature_of(text, d);
  return s;
}

// Enclosing scopes of a use, with their outer names.
std::vector<std::string> scopes_around(const ParsedText& p, std::size_t begin, std::size_t end) {
  std::vector<std::string> out;
  const std::string_view text = *p.text;
  const auto& all = p.facts().definitions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& d = all[i];
    if (d.span.begin > begin || end > d.span.end) continue;
    auto s = scope_of(text, p.language, all, i);
    if (!s.empty()) out.push_back(s);
    if (!s.empty()) s += language_info(p.language).separator;
    out.push_back(s + std::string(text.substr(d.name.begin, d.name.size())));
  }
  return out;
}

// new Name( and new Outer.Name(
bool behind_new(std::string_view before) {
  while (!before.empty() && (is_word_byte(before.back()) || before.back() == '.'))
    before.remove_suffix(1);
  return before.ends_with("new ");
}

// What this(…) and super(…) call.
bool calls_constructor(const Use& use) {
  return use.language == Language::kJava && !use.member &&
         (use.name == "super" || use.name == "this") && arguments_behind(use.text, use.end);
}

// Whether nothing that was found can be meant by a plain name of C or C++.
bool may_be_unseen(const Use& use, const std::vector<Ranked>& ranked,
                   const std::vector<Symbol>& found) {
  if (family_of(use.language) != family_of(Language::kC) || use.member || !use.qualifier.empty())
    return false;
  if (ranked.empty()) return true;
  const auto& best = found[ranked[0].index];
  if (use.language != Language::kC || best.path == use.path) return false;
  return best.kind == SymbolKind::kField || !best.exported;
}

// The first that is not the best's own prototype or body.
std::size_t rival_of_first(const std::vector<Ranked>& ranked, const std::vector<Symbol>& found) {
  std::size_t rival = 1;
  for (; rival < ranked.size(); ++rival) {
    const auto &best = found[ranked[0].index], &other = found[ranked[rival].index];
    if (ranked[rival].family != ranked[0].family || other.scope != best.scope ||
        other.kind != best.kind || other.declaration_only == best.declaration_only) {
      break;
    }
  }
  return rival;
}

}  // namespace

std::vector<ResolvedDefinition> SnapshotImpl::resolve(std::string_view path,
                                                      std::uint32_t offset) const {
  std::vector<ResolvedDefinition> out;
  const auto p = parsed(path);
  if (p == nullptr || offset > p->text->size()) return out;
  Use use;
  use.path = path;
  use.language = p->language;
  const auto text = use.text = *p->text;
  use.begin = use.end = offset;
  const bool dollar = has_dollar_names(use.language);
  const auto in_name = [&](char c) { return is_word_byte(c) || (dollar && c == '$'); };
  while (use.begin > 0 && in_name(text[use.begin - 1])) --use.begin;
  while (use.end < text.size() && in_name(text[use.end])) ++use.end;
  use.name = text.substr(use.begin, use.end - use.begin);
  if (use.name.empty()) return out;
  use.before = text.substr(0, use.begin);
  use.member = use.before.ends_with('.') || use.before.ends_with("->");
  const auto dot =
      use.begin - (use.before.ends_with('.') ? 1 : std::min<std::size_t>(2, use.begin));
  if (use.member || use.before.ends_with("::")) {
    auto q = dot;
    while (q > 0 && in_name(text[q - 1])) --q;
    use.qualifier = text.substr(q, dot - q);
  }
  for (const auto& m : p->facts().mentions) {
    if (m.span.begin <= use.begin && use.begin < m.span.end) use.kind = m.kind;
  }

  const Receivers receivers(*this, path, *p);
  Receivers::Type receiver;
  if (use.language == Language::kGo && use.member && !receivers.go_package_of(dot).empty()) {
    use.member = false;  // of a package
  } else if (use.member) {
    receiver = receivers.before(dot);
  } else if (use.language == Language::kGo) {  // a key of a literal is a member of its struct
    receiver = receivers.go_key_owner(use.begin, use.end);
    use.member = receiver.literal != 0 || !receiver.name.empty();
  }
  if (use.member) {
    if (receiver.literal != 0) {
      if (const auto key = key_of_literal(text, receiver.literal, use.name); key != 0) {
        out.push_back({here(path, text, key, use.name, SymbolKind::kProperty), 0.9F});
        return out;
      }
    }
    use.types = receivers.with_bases(receiver);
  } else if (use.qualifier.empty()) {
    if (const auto* local = receivers.local(use.name, use.begin, use.end)) {
      out.push_back({local_symbol(path, text, *local, use.name), 0.95F});
      return out;
    }
  }
  if (!use.member && use.language == Language::kGo && use.end < text.size() &&
      text[use.end] == '.') {
    if (const auto* import = go_package(text, p->facts().imports, use.name)) {
      out.push_back({here(path, text, import->module.begin, use.name, SymbolKind::kModule), 0.95F});
      return out;
    }
  }

  use.makes = behind_new(use.before);
  use.scopes = scopes_around(*p, use.begin, use.end);
  if (has_implicit_this(use.language) && !use.member) {
    for (const auto& in : receivers.enclosing_classes(static_cast<std::uint32_t>(use.begin))) {
      for (auto& type : receivers.with_bases({in, false, 0})) {
        if (std::find(use.classes.begin(), use.classes.end(), type) == use.classes.end())
          use.classes.push_back(std::move(type));
      }
    }
  }
  auto called = use.member ? use.name : name_where_defined(text, p->facts().imports, use.name);
  std::string constructed;
  if (calls_constructor(use)) {
    const auto in = receivers.enclosing_class(static_cast<std::uint32_t>(use.begin));
    const auto of = receivers.with_bases({in, use.name == "super", 0});
    if (of.empty()) return out;
    constructed = of.front().substr(of.front().find_last_of('.') + 1);
    use.types = {of.front()};
    use.makes = true;
    called = constructed;
  }
  use.modules = imported_modules(text, use.language, p->facts().imports, called, use.qualifier);
  if (!use.member && (use.language == Language::kTypeScript || use.language == Language::kTsx ||
                      use.language == Language::kJavaScript)) {
    use.keys = keys_around(text, use.begin);
  }
  auto found = definitions(called, kMaxFound);
  const auto ranked = rank(*this, receivers, use, found);
  if (may_be_unseen(use, ranked, found)) {
    if (const auto at = declared_in_function(*p, use.name, use.begin)) {
      out.push_back({here(path, text, at->begin, use.name, SymbolKind::kVariable), 0.7F});
    } else if (found.empty()) {
      if (auto made = made_by_macro(*this, path, use.name)) out.push_back({std::move(*made), 0.5F});
    }
  }

  // new Name: the constructor, where the class writes one by another name.
  if (!ranked.empty() && use.makes && found[ranked[0].index].kind == SymbolKind::kClass) {
    const auto& made = found[ranked[0].index];
    for (auto& s : symbols_in(made.path)) {
      if (s.kind != SymbolKind::kConstructor || s.name == made.name ||
          s.name_span.begin < made.span.begin || s.name_span.end > made.span.end) {
        continue;
      }
      out.push_back({std::move(s), 0.9F});
      break;
    }
  }
  if (use.member && family_of(use.language) == family_of(Language::kC) && !use.types.empty() &&
      (ranked.empty() || std::none_of(use.types.begin(), use.types.end(), [&](const auto& type) {
         return is_scope_of(found[ranked[0].index].scope, type);
       }))) {
    if (auto made = member_of_macro(*this, use.types, use.name))
      out.push_back({std::move(*made), 0.8F});
  }
  if (use.member && use.language == Language::kGo && out.empty()) {
    if (const auto field = receivers.go_embedded_field(use.types, use.name)) {
      if (const auto content = this->text(field->first))
        out.push_back(
            {here(field->first, *content, field->second, use.name, SymbolKind::kField), 0.9F});
    }
  }
  const auto rival = rival_of_first(ranked, found);
  for (std::size_t i = 0; i < std::min(ranked.size(), kMaxAnswers); ++i) {
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
