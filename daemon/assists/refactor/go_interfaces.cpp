#include "daemon/assists/refactor/go_interfaces.h"

#include <algorithm>

#include "daemon/assists/refactor/go_types.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::Language;
using indexer::Symbol;
using indexer::SymbolKind;

namespace {

constexpr std::size_t kMaxPlaces = 4000;

class Ties {
 public:
  Ties(const indexer::Snapshot& snapshot, std::vector<Symbol>& methods,
       std::set<std::string>& owners, std::vector<std::string>& notes, std::stop_token stop)
      : snapshot_(snapshot),
        methods_(methods),
        owners_(owners),
        notes_(notes),
        stop_(std::move(stop)),
        name_(methods[0].name),
        types_(snapshot) {}

  Result<void> add() {
    for (auto& s : snapshot_.definitions(name_, kMaxPlaces)) {
      if (s.kind != SymbolKind::kMethod || indexer::language_of(s.path) != Language::kGo) continue;
      types_.read_package_of(s.path);
      all_.push_back(std::move(s));
    }
    if (asked_for()) AMBIT_CHECK_OK(read_who_embeds());
    read_sets();
    for (const auto& m : methods_) tied_.insert({"", m.path, m.name_span});
    AMBIT_CHECK_OK(tie());
    for (const auto& holder : holders_) {
      if (concerns(holder)) owners_.insert(holder.type->name);
    }
    AMBIT_CHECK_OK(check_known());
    return check_assertions();
  }

 private:
  struct Holder {  // a type that has the method, its own or by what it embeds
    const GoType* type;
    GoTypes::MethodSet methods;
  };

  // Whether any interface, here or outside, has a method of this name.
  bool asked_for() const {
    const auto start = name_ + "(";
    return std::any_of(types_.types().begin(), types_.types().end(),
                       [&](const GoType& t) { return t.interface && t.own.contains(name_); }) ||
           std::any_of(known_go_interfaces().begin(), known_go_interfaces().end(),
                       [&](const auto& k) { return k.methods.find(start) != std::string::npos; });
  }

  // A type gets the methods of what it embeds, and may be an interface by that.
  Result<void> read_who_embeds() {
    std::set<std::string> done;
    for (bool grown = true; grown;) {
      grown = false;
      std::set<std::string> names;
      for (const auto& t : types_.types()) {
        if (t.own.contains(name_) ||
            std::any_of(t.embedded.begin(), t.embedded.end(),
                        [&](const auto& e) { return done.contains(e.substr(e.rfind('.') + 1)); })) {
          names.insert(t.name);
        }
      }
      for (const auto& name : names) {
        if (stop_.stop_requested()) return make_error(Code::kCancelled, "cancelled");
        if (!done.insert(name).second) continue;
        grown = true;
        for (const auto& r : snapshot_.references(name, kMaxPlaces)) {
          if (r.kind == indexer::ReferenceKind::kType && r.path.ends_with(".go")) {
            types_.read_package_of(r.path);
          }
        }
      }
    }
    return {};
  }

  void read_sets() {
    for (std::size_t i = 0; i < types_.types().size(); ++i) {  // looking up may read more
      const auto& type = types_.types()[i];
      auto methods = types_.methods_of(type);
      if (methods.contains(name_)) holders_.push_back({&type, std::move(methods)});
    }
  }

  // What a type parameter stands for is anything.
  static bool same(std::string_view a, std::string_view b) {
    while (!a.empty() && !b.empty()) {
      const auto one = a.substr(0, a.find(',')), two = b.substr(0, b.find(','));
      const bool any =
          one.find('?') != std::string_view::npos || two.find('?') != std::string_view::npos;
      if (!any && one != two) return false;
      a.remove_prefix(std::min(one.size() + 1, a.size()));
      b.remove_prefix(std::min(two.size() + 1, b.size()));
    }
    return a.empty() && b.empty();
  }
  static bool fits(const Holder& holder, const std::string& name, std::string_view signature) {
    const auto found = holder.methods.find(name);
    return found != holder.methods.end() &&
           std::any_of(found->second.begin(), found->second.end(),
                       [&](const GoMethod& m) { return same(m.signature, signature); });
  }
  static bool is(const Holder& holder, const Holder& interface) {
    return std::all_of(interface.methods.begin(), interface.methods.end(), [&](const auto& entry) {
      return std::any_of(entry.second.begin(), entry.second.end(),
                         [&](const GoMethod& m) { return fits(holder, entry.first, m.signature); });
    });
  }

  Result<void> tie() {
    for (bool grown = true; grown;) {
      grown = false;
      for (const auto& interface : holders_) {
        const auto own = interface.type->own.find(name_);
        if (!interface.type->interface || own == interface.type->own.end()) continue;
        for (const auto& holder : holders_) {
          if (holder.type == interface.type || !is(holder, interface)) continue;
          std::vector<GoMethod> together = holder.methods.at(name_);
          together.push_back(own->second);
          if (std::none_of(together.begin(), together.end(),
                           [&](const GoMethod& m) { return tied_.contains(m); })) {
            continue;
          }
          for (const auto& m : together) {
            if (!tied_.insert(m).second) continue;
            grown = true;
            AMBIT_CHECK_OK(take(m, *holder.type, *interface.type));
          }
        }
      }
    }
    return {};
  }

  Result<void> take(const GoMethod& m, const GoType& type, const GoType& interface) {
    const auto why = type.name + " is " + shown(interface) + " by it";
    const auto symbol = std::find_if(all_.begin(), all_.end(), [&](const Symbol& s) {
      return s.path == m.path && s.name_span == m.name;
    });
    if (symbol == all_.end()) {
      return refusal(type.path, type.line,
                     type.name + " gets " + name_ + " from outside of this repository, and " + why);
    }
    methods_.push_back(*symbol);
    notes_.push_back(symbol->path + ":" + std::to_string(symbol->line + 1) + " " +
                     (symbol->scope.empty() ? "" : symbol->scope + ".") + name_ +
                     " changes too: " + why);
    return {};
  }
  static std::string shown(const GoType& t) {
    const auto place = " (" + t.path + ":" + std::to_string(t.line + 1) + ")";
    return (t.name == "interface" ? "what an interface asks for" : "the interface " + t.name) +
           place;
  }

  [[nodiscard]] bool concerns(const Holder& holder) const {
    const auto& own = holder.methods.at(name_);
    return std::any_of(own.begin(), own.end(), [&](const auto& m) { return tied_.contains(m); });
  }

  Result<void> check_known() const {
    for (const auto& known : known_go_interfaces()) {
      const auto methods = known_go_methods(known.name);
      if (!methods.contains(name_)) continue;
      for (const auto& holder : holders_) {
        const bool all = std::all_of(methods.begin(), methods.end(), [&](const auto& m) {
          return fits(holder, m.first, m.second);
        });
        if (!all || !concerns(holder)) continue;
        return refusal(holder.type->path, holder.type->line,
                       holder.type->name + " is " + std::string(known.name) + " by its " + name_ +
                           methods.at(name_) +
                           ", and who asks for that is outside of this repository");
      }
    }
    return {};
  }

  Result<void> check_assertions() {
    if (name_[0] < 'A' || name_[0] > 'Z') return {};
    for (const auto& a : types_.assertions()) {
      if (types_.find(a.interface) != nullptr || !known_go_methods(base_of(a.interface)).empty()) {
        continue;
      }
      for (const auto& holder : holders_) {
        if (folder_of(a.path) != folder_of(holder.type->path) || !concerns(holder) ||
            !has_word(a.value, holder.type->name)) {
          continue;
        }
        return refusal(a.path, a.line,
                       "says that " + holder.type->name + " is " + a.interface +
                           ", which is outside of this repository and may ask for " + name_);
      }
    }
    return {};
  }

  const indexer::Snapshot& snapshot_;
  std::vector<Symbol>& methods_;
  std::set<std::string>& owners_;
  std::vector<std::string>& notes_;
  const std::stop_token stop_;
  const std::string name_;
  GoTypes types_;
  std::vector<Symbol> all_;  // all methods of that name
  std::vector<Holder> holders_;
  std::set<GoMethod> tied_;
};

}  // namespace

Result<void> add_tied_go_methods(const indexer::Snapshot& snapshot, std::vector<Symbol>& methods,
                                 std::set<std::string>& owners, std::vector<std::string>& notes,
                                 std::stop_token stop) {
  return Ties(snapshot, methods, owners, notes, std::move(stop)).add();
}

}  // namespace ambit::daemon
