// Of Receivers: what surrounds a place, and what a type has from its bases.
#include <algorithm>

#include "indexer/search/receiver.h"
#include "indexer/search/words.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxBases = 12;

}  // namespace

const Local* Receivers::local(std::string_view name, std::size_t begin, std::size_t end) const {
  // Where every variable is declared, one in a block hides those before it: the latest counts.
  // Where assignment declares, the first one does.
  const bool declares = parsed_.language != Language::kPython &&
                        parsed_.language != Language::kRuby && parsed_.language != Language::kPhp &&
                        parsed_.language != Language::kLua && parsed_.language != Language::kBash;
  const Local* best = nullptr;
  for (const auto& l : parsed_.facts().locals) {
    if (l.within.begin > begin || l.within.end < end) continue;
    if (text_.substr(l.name.begin, l.name.size()) != name) continue;
    const bool after = l.name.begin > begin;
    if (best == nullptr || l.within.size() < best->within.size()) {
      best = &l;
    } else if (l.within == best->within && !after &&
               (best->name.begin > begin || (declares && l.name.begin > best->name.begin))) {
      best = &l;
    }
  }
  return best;
}

std::string Receivers::enclosing_class(std::uint32_t at) const {
  auto all = enclosing_classes(at);
  return all.empty() ? std::string() : std::move(all.front());
}

std::vector<std::string> Receivers::enclosing_classes(std::uint32_t at) const {
  std::vector<std::pair<std::uint32_t, std::string>> found;  // size, name
  for (const auto& d : parsed_.facts().definitions) {
    if (d.span.begin > at || at >= d.span.end) continue;
    if (is_type(d.kind) && d.kind != SymbolKind::kTypeAlias) {
      found.emplace_back(d.span.size(), text_.substr(d.name.begin, d.name.size()));
    } else if (!d.owner.empty()) {  // a method written outside of its class
      const auto cut = d.owner.rfind('\x1f');
      found.emplace_back(d.span.size(),
                         cut == std::string::npos ? d.owner : d.owner.substr(cut + 1));
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> out;
  for (auto& [size, name] : found) {
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(std::move(name));
  }
  return out;
}

std::vector<std::string> Receivers::with_bases(const Type& type) const {
  std::vector<std::string> out;
  if (type.name.empty()) return out;
  out.push_back(type.name);
  for (std::size_t i = 0; i < out.size() && out.size() < kMaxBases; ++i) {
    // Outer.Base is the Base of Outer.
    const auto cut = out[i].find_last_of(".:");
    const auto last = cut == std::string::npos ? out[i] : out[i].substr(cut + 1);
    const auto outer = cut == std::string::npos
                           ? std::string()
                           : out[i].substr(0, out[i].find_last_not_of(".:", cut) + 1);
    for (const auto& s : snapshot_.definitions(last, outer.empty() ? 6 : 40)) {
      if (!is_type(s.kind) || s.kind == SymbolKind::kUnion) continue;
      if (!outer.empty() && !is_scope_of(s.scope, outer)) continue;
      const std::string_view signature = s.signature;
      auto at = signature.find(s.name);
      if (at == std::string_view::npos) continue;
      if (s.kind == SymbolKind::kTypeAlias && signature.starts_with("typedef ")) {
        const auto target = simple_type(signature.substr(0, signature.rfind(s.name)));
        if (!target.empty() && std::find(out.begin(), out.end(), target) == out.end())
          out.push_back(target);
        continue;
      }
      if (language_of(s.path) == Language::kGo && s.kind != SymbolKind::kTypeAlias) {
        for (auto& e : go_embedded(s)) {
          if (std::find(out.begin(), out.end(), e.name) == out.end()) out.push_back(e.name);
        }
        continue;
      }
      // Arguments of a generic base are no bases; those of a type that only changes another are.
      const auto language = language_of(s.path);
      const bool skips = has_implicit_this(language) && s.kind != SymbolKind::kTypeAlias;
      int nested = 0;
      for (at += s.name.size(); at < signature.size() && out.size() < kMaxBases;) {
        const char c = signature[at];
        if (!is_name_byte(c)) {
          if (c == '<' || c == '(') ++nested;
          if (c == '>' || c == ')') --nested;
          ++at;
          continue;
        }
        std::string w(name_at(signature, at));
        at += w.size();
        if (skips) {
          while (at + 1 < signature.size() && (signature[at] == '.' || signature[at] == ':') &&
                 (is_name_byte(signature[at + 1]) || signature[at + 1] == ':')) {
            const auto from = at;
            while (at < signature.size() && !is_name_byte(signature[at])) ++at;
            w += signature.substr(from, at - from);
            w += name_at(signature, at);
            at += name_at(signature, at).size();
          }
          if (nested > 0) continue;
        }
        if (w[0] < 'A' || w[0] > 'Z' || std::find(out.begin(), out.end(), w) != out.end()) continue;
        out.push_back(std::move(w));
      }
    }
  }
  if (type.bases_only) out.erase(out.begin());
  return out;
}

}  // namespace ambit::indexer
