#include "daemon/assists/refactor/rust_traits.h"

#include <algorithm>
#include <array>

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

// The name of the trait around a method: "" for none.
struct TraitPlace {
  std::string name;
  bool declares = false;  // it is the trait's own
};
TraitPlace trait_around(const Snapshot& snapshot, const indexer::Symbol& method) {
  const auto f = load_source(snapshot, method.path);
  if (!f) return {};
  const auto& t = *f->tree;
  for (auto at = t.around(method.name_span); at != indexer::kNoNode; at = t[at].parent) {
    if (t[at].type == "trait_item") return {std::string(f->slice(t.child(at, "name"))), true};
    if (t[at].type != "impl_item") continue;
    auto trait = t.child(at, "trait");
    while (trait != indexer::kNoNode && t[trait].type != "type_identifier") {
      trait = t.child(trait, t[trait].type == "generic_type" ? "type" : "name");
    }
    return {trait == indexer::kNoNode ? "" : std::string(f->slice(trait)), false};
  }
  return {};
}

}  // namespace

Result<void> add_tied_rust_methods(const Snapshot& snapshot,
                                   std::vector<indexer::Symbol>& methods) {
  std::set<std::string> asked, declared;
  for (const auto& m : methods) asked.insert(trait_around(snapshot, m).name);
  asked.erase("");
  if (asked.empty()) return {};
  for (auto& s : snapshot.definitions(methods[0].name, 4000)) {
    if (indexer::language_of(s.path) != indexer::Language::kRust) continue;
    const auto trait = trait_around(snapshot, s);
    if (!asked.contains(trait.name)) continue;
    if (trait.declares) declared.insert(trait.name);
    const bool there = std::any_of(methods.begin(), methods.end(), [&](const auto& m) {
      return m.path == s.path && m.name_span == s.name_span;
    });
    if (!there) methods.push_back(std::move(s));
  }
  for (const auto& trait : asked) {
    if (declared.contains(trait)) continue;
    return refusal(methods[0].path, methods[0].line,
                   methods[0].name + " is a method of the trait " + trait +
                       ", which is outside of this repository");
  }
  return {};
}

}  // namespace ambit::daemon
