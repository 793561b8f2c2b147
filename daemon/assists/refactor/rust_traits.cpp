#include "daemon/assists/refactor/rust_traits.h"

#include <algorithm>
#include <array>
#include <map>

namespace ambit::daemon {

using indexer::Snapshot;
using indexer::SymbolKind;

namespace {

// Traits of the standard library that are imported for their methods.
struct KnownTrait {
  std::string_view name, methods;  // separated by spaces
};
constexpr std::array kTraits{
    KnownTrait{"Read",
               "read read_to_end read_to_string read_exact bytes chain take by_ref read_buf"},
    KnownTrait{"Write", "write write_all flush write_fmt write_str write_char by_ref"},
    KnownTrait{"BufRead", "read_line lines read_until split fill_buf consume has_data_left"},
    KnownTrait{"Seek", "seek rewind stream_position"},
    KnownTrait{"FromStr", "from_str"},
    KnownTrait{"Hash", "hash hash_slice"},
    KnownTrait{"Hasher", "finish write write_u8 write_u16 write_u32 write_u64 write_usize"},
    KnownTrait{"BuildHasher", "build_hasher hash_one"},
    KnownTrait{"Borrow", "borrow"},
    KnownTrait{"BorrowMut", "borrow_mut"},
    KnownTrait{"Deref", "deref"},
    KnownTrait{"DerefMut", "deref_mut"},
    KnownTrait{"Display", "fmt"},
    KnownTrait{"Debug", "fmt"},
    KnownTrait{"Any", "type_id"},
    KnownTrait{"Error", "source description"},
    KnownTrait{"ToSocketAddrs", "to_socket_addrs"},
    KnownTrait{"Future", "poll"},
    KnownTrait{"Index", "index"},
    KnownTrait{"IndexMut", "index_mut"},
    KnownTrait{"Add", "add"},
    KnownTrait{"Sub", "sub"},
    KnownTrait{"Mul", "mul"},
    KnownTrait{"Div", "div"},
    KnownTrait{"Not", "not"},
    KnownTrait{"Neg", "neg"},
};

}  // namespace

RustNames rust_trait_methods(const Snapshot& snapshot, const std::string& path) {
  const auto last = path.substr(path.rfind(':') + 1);
  RustNames out;
  if (!path.starts_with("crate")) {
    for (const auto& t : kTraits) {
      if (t.name != last) continue;
      for (std::size_t at = 0; at < t.methods.size();) {
        const auto end = std::min(t.methods.find(' ', at), t.methods.size());
        out.emplace(t.methods.substr(at, end - at));
        at = end + 1;
      }
    }
    return out;
  }
  for (const auto& s : snapshot.definitions(last, 100)) {
    if (s.kind != SymbolKind::kTrait) continue;
    for (const auto& inner : snapshot.symbols_in(s.path)) {
      if (inside(inner.span, s.span) && inner.name != last) out.insert(inner.name);
    }
  }
  return out;
}

bool may_need_trait(const Snapshot& snapshot, const RustUse& use, const RustNames& members) {
  const auto last = use.path.substr(use.path.rfind(':') + 1);
  const auto methods = rust_trait_methods(snapshot, use.path);
  if (!methods.empty()) {
    return std::any_of(members.begin(), members.end(),
                       [&](const auto& m) { return methods.contains(m); });
  }
  if (use.path.starts_with("crate")) return snapshot.definitions(last, 1).empty();
  const bool own = use.path.starts_with("std::") || use.path.starts_with("core::") ||
                   use.path.starts_with("alloc::");
  return !own || use.name == "_" || last.ends_with("Ext");
}

namespace {

// The trait around a method: its name, "" for none, and where it is declared, "" for outside.
struct TraitPlace {
  std::string name, at;
  bool declares = false;  // the method is the trait's own
};
TraitPlace trait_around(const Snapshot& snapshot, const indexer::Symbol& method) {
  const auto f = load_source(snapshot, method.path);
  if (!f) return {};
  const auto& t = *f->tree;
  const auto place = [](const std::string& path, std::uint32_t begin) {
    return path + ":" + std::to_string(begin);
  };
  for (auto at = t.around(method.name_span); at != indexer::kNoNode; at = t[at].parent) {
    if (t[at].type == "trait_item") {
      const auto name = t.child(at, "name");
      return {std::string(f->slice(name)), place(method.path, t[name].span.begin), true};
    }
    if (t[at].type != "impl_item") continue;
    auto trait = t.child(at, "trait");
    while (trait != indexer::kNoNode && t[trait].type != "type_identifier") {
      trait = t.child(trait, t[trait].type == "generic_type" ? "type" : "name");
    }
    if (trait == indexer::kNoNode) return {};
    TraitPlace out{std::string(f->slice(trait)), "", false};
    // Several modules may have a trait of this name.
    const auto found = snapshot.resolve(method.path, t[trait].span.begin);
    if (!found.empty() && found[0].symbol.kind == SymbolKind::kTrait) {
      out.at = place(found[0].symbol.path, found[0].symbol.name_span.begin);
    }
    return out;
  }
  return {};
}

}  // namespace

Result<void> add_tied_rust_methods(const Snapshot& snapshot,
                                   std::vector<indexer::Symbol>& methods) {
  struct Found {
    indexer::Symbol method;
    TraitPlace trait;
  };
  std::vector<Found> all;
  std::map<std::string, std::set<std::string>> declared;  // by the trait's name, where
  for (auto& s : snapshot.definitions(methods[0].name, 4000)) {
    if (indexer::language_of(s.path) != indexer::Language::kRust) continue;
    auto trait = trait_around(snapshot, s);
    if (trait.name.empty()) continue;
    if (trait.declares) declared[trait.name].insert(trait.at);
    all.push_back({std::move(s), std::move(trait)});
  }
  // One trait of a name that has the method is meant; of several the one that resolves.
  for (auto& f : all) {
    const auto& places = declared[f.trait.name];
    if (places.size() == 1) f.trait.at = *places.begin();
    if (!places.contains(f.trait.at)) f.trait.at.clear();
  }
  const auto same = [](const indexer::Symbol& a, const indexer::Symbol& b) {
    return a.path == b.path && a.name_span == b.name_span;
  };
  const auto chosen = methods;
  std::set<std::string> asked;
  for (const auto& f : all) {
    if (std::none_of(chosen.begin(), chosen.end(),
                     [&](const auto& m) { return same(m, f.method); }))
      continue;
    if (f.trait.at.empty()) {
      return refusal(f.method.path, f.method.line,
                     f.method.name + " is a method of the trait " + f.trait.name +
                         ", which is outside of this repository");
    }
    asked.insert(f.trait.at);
  }
  for (auto& f : all) {
    if (asked.contains(f.trait.at) &&
        std::none_of(chosen.begin(), chosen.end(),
                     [&](const auto& m) { return same(m, f.method); }))
      methods.push_back(std::move(f.method));
  }
  return {};
}

}  // namespace ambit::daemon
