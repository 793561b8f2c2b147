#include "indexer/search/ranking.h"

#include <algorithm>
#include <map>

namespace ambit::indexer {
namespace {

bool is_member(const Symbol& s) {
  return !s.scope.empty() &&
         (s.kind == SymbolKind::kMethod || s.kind == SymbolKind::kField ||
          s.kind == SymbolKind::kProperty || s.kind == SymbolKind::kConstructor);
}

// Languages whose object literals and patterns take their keys from a type.
bool has_keys(Language l) {
  return l == Language::kTypeScript || l == Language::kTsx || l == Language::kJavaScript;
}

// Best for the first of the types, less for each that follows; 0 when it is of none.
double of_types(std::string_view scope, const std::vector<std::string>& types) {
  for (std::size_t t = 0; t < types.size(); ++t) {
    if (is_scope_of(scope, types[t])) return std::max(6.0, 14.0 - static_cast<double>(t));
  }
  return 0;
}

class Ranking {
 public:
  Ranking(const SnapshotImpl& snapshot, const Receivers& receivers, const Use& use)
      : snapshot_(snapshot), use_(use), call_(receivers, use.language, use.text, use.end) {}

  [[nodiscard]] Ranked of(const Symbol& s, std::size_t index) {
    const auto* const info = snapshot_.base().find(s.path);
    const auto language = info != nullptr ? info->language : language_of(s.path);
    const int family = family_of(language);
    double score = family == family_of(use_.language) ? 10 : 2;
    score += of_place(s) + import_score(use_.modules, s.path) + of_scope(s) + of_kind(s);
    score += call_.fit(s, language);
    if (s.declaration_only) score -= 2;
    return {score, index, family};
  }

 private:
  [[nodiscard]] double of_place(const Symbol& s) const {
    if (s.path == use_.path) {
      // The definition itself, unless it is one of several places that set the same field, or a key
      // of a literal, which says what a type declares.
      return 7.5 + (!is_itself(s) || use_.member ? 0 : use_.keys.empty() ? 20 : 8);
    }
    const bool near = folder_of(s.path) == folder_of(use_.path);
    // What is not exported is its file's; in Go its folder's.
    double score = s.exported || (near && use_.language == Language::kGo) ? 0 : -7;
    if (near) score += 2.5;
    if (stem_of(s.path) == stem_of(use_.path)) score += 2;
    const auto common = static_cast<std::ptrdiff_t>(std::min(s.path.size(), use_.path.size()));
    const auto shared =
        std::mismatch(s.path.begin(), s.path.begin() + common, use_.path.begin()).first -
        s.path.begin();
    return score + 1.5 * static_cast<double>(shared) / static_cast<double>(use_.path.size() + 1);
  }

  [[nodiscard]] bool is_itself(const Symbol& s) const {
    return s.path == use_.path && use_.begin >= s.name_span.begin && use_.begin < s.name_span.end;
  }

  // The type whose members are called like all the keys.
  [[nodiscard]] double overlap(const Symbol& s) {
    const auto [it, fresh] = overlaps_.try_emplace({s.path, s.scope}, 0);
    if (fresh && overlaps_.size() < 40) {
      std::set<std::string> same;
      for (const auto& other : snapshot_.symbols_in(s.path)) {
        if (other.scope == s.scope && use_.keys.contains(other.name)) same.insert(other.name);
      }
      it->second = static_cast<double>(same.size()) / static_cast<double>(use_.keys.size());
    }
    return it->second;
  }

  [[nodiscard]] double of_scope(const Symbol& s) {
    const bool in_type = is_member(s);
    const bool plain = !use_.member && use_.qualifier.empty();
    const bool constructor = s.kind == SymbolKind::kConstructor;
    std::string_view scope = s.scope;
    if (use_.makes && use_.member && constructor) {  // new Outer.Name(…): Name has to be of Outer
      scope = scope.substr(0, scope.find_last_of(".:") + 1);
      scope = scope.substr(0, scope.find_last_not_of(".:") + 1);
    }
    double score = of_types(scope, use_.types);
    const double own = plain && !constructor ? of_types(s.scope, use_.classes) : 0;
    if (!use_.keys.empty() && (in_type || is_itself(s))) {
      score += is_itself(s) ? 0 : 12 * overlap(s);
    } else if (own > 0) {
      score += own;
    } else if (use_.makes && constructor) {
      // Named like its class.
    } else if (use_.member != in_type && (use_.language != Language::kGo || !use_.member)) {
      const bool never_plain = has_keys(use_.language) || use_.language == Language::kPython ||
                               use_.language == Language::kGo || use_.language == Language::kRust;
      score -= use_.member ? 1.5 : never_plain ? 12 : 3;
    }
    const auto enclosing = std::find(use_.scopes.begin(), use_.scopes.end(), s.scope);
    const bool encloses = !s.scope.empty() && enclosing != use_.scopes.end();
    if (use_.member && (use_.qualifier == "self" || use_.qualifier == "this")) {
      score += encloses ? 4 : 0;
    } else if (!use_.qualifier.empty()) {
      if (is_scope_of(scope, use_.qualifier)) score += 9;
      if (stem_of(s.path) == use_.qualifier || folder_of(s.path).ends_with(use_.qualifier))
        score += 4;
    } else {
      score += encloses ? 3 : 0;
    }
    return score;
  }

  [[nodiscard]] double of_kind(const Symbol& s) const {
    double score = 0;
    const bool type = is_type(s.kind);
    if (use_.makes) return s.kind == SymbolKind::kConstructor ? 5 : type ? 3 : 0;
    if (s.kind == SymbolKind::kConstructor &&
        (use_.language == Language::kJava || use_.language == Language::kCSharp)) {
      score -= 6;  // only new, this(…) and super(…) mean it
    }
    if (use_.kind == ReferenceKind::kType || use_.kind == ReferenceKind::kInherit)
      score += type ? 3 : -3;
    if (use_.kind == ReferenceKind::kCall &&
        (s.kind == SymbolKind::kField || s.kind == SymbolKind::kEnumerator)) {
      score -= 1;
    }
    // In C a struct's name stands behind its keyword; a bare name is what typedef made.
    if (use_.language == Language::kC && type) {
      const bool keyword = use_.before.ends_with("struct ") || use_.before.ends_with("union ") ||
                           use_.before.ends_with("enum ");
      if (keyword != (s.kind == SymbolKind::kTypeAlias)) score += 4;
    }
    return score;
  }

  const SnapshotImpl& snapshot_;
  const Use& use_;
  const Call call_;
  std::map<std::pair<std::string, std::string>, double> overlaps_;  // path, scope
};

}  // namespace

std::vector<Ranked> rank(const SnapshotImpl& snapshot, const Receivers& receivers, const Use& use,
                         const std::vector<Symbol>& found) {
  Ranking ranking(snapshot, receivers, use);
  std::vector<Ranked> out;
  out.reserve(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) out.push_back(ranking.of(found[i], i));
  // A body stands where its prototype is announced: what speaks for the prototype speaks for it.
  std::map<std::pair<int, std::string_view>, double> announced;
  for (const auto& r : out) {
    const auto& s = found[r.index];
    if (!s.declaration_only) continue;
    auto& best = announced.try_emplace({r.family, s.scope}, r.score).first->second;
    best = std::max(best, r.score);
  }
  for (auto& r : out) {
    const auto& s = found[r.index];
    if (s.declaration_only || (!s.exported && s.path != use.path)) continue;
    if (const auto it = announced.find({r.family, s.scope}); it != announced.end())
      r.score = std::max(r.score, it->second + 1);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  return out;
}

}  // namespace ambit::indexer
