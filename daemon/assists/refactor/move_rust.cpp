// Moves a function, type, trait or constant of Rust to another module of its crate. Its old module
// brings it in under its old visibility, so that every path to it stays what it was. What must
// hold: the new module sees all that the definition names, and means the same by it; no private
// field or method is out of its reach; and traits that its method calls need are brought along.
// Rust refuses to build what was missed, so this asks for what would change a meaning first.
#include <algorithm>
#include <set>

#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/rust_module.h"
#include "daemon/assists/refactor/rust_traits.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Snapshot;
using indexer::Symbol;
using indexer::SymbolKind;

namespace {

using Names = RustNames;

class RustMover {
 public:
  RustMover(const Snapshot& snapshot, const Symbol& symbol, const std::string& to)
      : snapshot_(snapshot), symbol_(symbol), to_(to) {}

  Result<PlanStep> plan() {
    if (!snapshot_.file(to_)) return no("there is no " + to_ + "; make it and its mod line first");
    AMBIT_TRY(from, load_rust_module(snapshot_, symbol_.path));
    from_ = std::move(from);
    AMBIT_TRY(target, load_rust_module(snapshot_, to_));
    target_ = std::move(target);
    if (from_.root != target_.root) {
      return no(to_ + " is of another crate than " + symbol_.path);
    }
    if (!rust_module_visible(snapshot_, target_, target_.path, from_.path)) {
      return no(from_.path + " may not name " + target_.path + ", so its users would lose " +
                symbol_.name);
    }
    for (const auto* m : {&from_, &target_}) {
      if (m->use_of("*") != nullptr) {
        return no(m->source.path + " imports everything of " + m->use_of("*")->path +
                  "; what its names mean is not known");
      }
    }
    AMBIT_CHECK_OK(find_definition());
    read_names();
    AMBIT_CHECK_OK(check_members());
    AMBIT_CHECK_OK(find_needs());
    AMBIT_CHECK_OK(find_traits());
    leave();
    arrive();
    return edits_.take("move " + symbol_.name + " to " + to_);
  }

 private:
  [[nodiscard]] Error here(const std::string& why) const {
    return refusal(symbol_.path, symbol_.line, why);
  }
  [[nodiscard]] const indexer::SyntaxTree& tree() const { return *from_.source.tree; }

  Result<void> find_definition() {
    const auto [first, last] = from_.items.equal_range(symbol_.name);
    if (first == last) return here("does not stand at the top of its module");
    if (std::next(first) != last) return here("is one of several of its name");
    node_ = first->second.node;
    visibility_ = first->second.visibility;
    const auto& n = tree()[node_];
    if (!inside(symbol_.name_span, n.span)) return here("does not stand at the top of its module");
    static const std::set<std::string_view> kMovable{"function_item", "struct_item", "enum_item",
                                                     "union_item",    "type_item",   "trait_item",
                                                     "const_item"};
    if (!kMovable.contains(n.type)) return here("is no function, type, trait or constant");
    if (symbol_.name == "main") return here("is where the program begins");
    if (visibility_.find("in ") != std::string::npos) return here("is " + visibility_);
    if (target_.items.contains(symbol_.name) || target_.use_of(symbol_.name) != nullptr) {
      return no(to_ + " has a " + symbol_.name + " already");
    }
    // Attributes and doc comments stand in front of it, as nodes of their own.
    auto span = n.span;
    std::vector<std::uint32_t> before;
    for (const auto c : tree().children(0)) {
      if (c >= node_) break;
      before.push_back(c);
    }
    for (auto it = before.rbegin(); it != before.rend(); ++it) {
      const auto& b = tree()[*it];
      const auto words = from_.source.slice(*it);
      const bool doc = words.starts_with("///") || words.starts_with("/**");
      const bool comment = b.type == "line_comment" || b.type == "block_comment";
      const auto between = std::string_view(from_.source.text)
                               .substr(b.span.end, span.begin - std::min(span.begin, b.span.end));
      const bool touches = std::count(between.begin(), between.end(), '\n') <= 1;
      if (b.type == "attribute_item") {
        for (const std::string_view word : {"cfg", "test", "proc_macro", "path", "macro_use"}) {
          if (has_word(words, word))
            return here("has an attribute that stays behind: " + std::string(words));
        }
      } else if (!comment || (!doc && !touches) || words.starts_with("//!")) {
        break;
      }
      span.begin = b.span.begin;
    }
    AMBIT_TRY(lines, whole_lines(from_.source, symbol_, span));
    span_ = lines;
    return {};
  }

  // The first words of the paths in the definition, and the names behind a dot or "::".
  void read_names() {
    const auto& t = tree();
    const auto& text = from_.source.text;
    Names locals;
    for (const auto& l : from_.source.facts.locals) {
      if (inside(l.name, span_)) locals.emplace(from_.source.slice(l.name));
    }
    for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
      const auto& n = t[i];
      if (!inside(n.span, span_)) continue;
      const auto word = std::string(from_.source.slice(i));
      const auto before = std::string_view(text).substr(0, n.span.begin);
      const auto behind = std::string_view(text).substr(n.span.end);
      if (n.type == "super" || (n.type == "self" && behind.starts_with("::"))) relative_ = true;
      if (n.type == "use_declaration") has_use_ = true;
      if (n.type == "field_identifier") members_.insert(word);
      if (n.type != "identifier" && n.type != "type_identifier" &&
          n.type != "shorthand_field_identifier") {
        continue;
      }
      if (t[n.parent].type == "lifetime" || t[n.parent].type == "label") continue;
      if (before.ends_with("::") || (before.ends_with('.') && !before.ends_with(".."))) {
        members_.insert(word);
        continue;
      }
      if (word == symbol_.name) continue;
      // A variable, where it does not stand as an item would.
      const bool as_item = behind.starts_with('(') || behind.starts_with("::") ||
                           behind.starts_with('!') || behind.starts_with('<') ||
                           behind.starts_with(" {");
      if (locals.contains(word) && !as_item) continue;
      if (t[n.parent].type == "const_parameter" || t[n.parent].type == "type_parameters") continue;
      names_.insert(word);
      if (!behind.starts_with('!')) continue;
      macros_.insert(word);
      if (word == "write" || word == "writeln") members_.insert("write_fmt");
    }
  }

  // Private fields and methods are named in the module of their type and below it only.
  Result<void> check_members() {
    const auto& t = tree();
    if (relative_)
      return here("names things by self:: or super::, which mean something else there");
    if (has_use_) return here("holds a use of its own");
    if (t[node_].type == "struct_item" || t[node_].type == "union_item") {
      AMBIT_CHECK_OK(check_fields());
    }
    for (const auto& name : members_) {
      for (const auto& s : snapshot_.definitions(name, 400)) {
        if (s.path == to_ || s.exported || s.kind == SymbolKind::kModule) continue;
        if (inside(s.span, span_) && s.path == symbol_.path) continue;
        const bool method = s.kind == SymbolKind::kFunction || s.kind == SymbolKind::kMethod;
        if ((s.kind != SymbolKind::kField && !method) || s.scope.empty()) continue;
        const auto home = load_rust_module(snapshot_, s.path);
        // Private to a module that the old one is in, and the new one is not.
        if (!home || home->root != from_.root || !rust_within(from_.path, home->path) ||
            rust_within(target_.path, home->path) || is_of_trait(*home, s)) {
          continue;
        }
        return here("uses " + name + ", which is private to " + home->path);
      }
    }
    return {};
  }

  // Methods of traits are as public as the trait.
  [[nodiscard]] static bool is_of_trait(const RustModule& m, const Symbol& s) {
    const auto& t = *m.source.tree;
    for (auto at = t.around(s.name_span); at != kNoNode; at = t[at].parent) {
      if (t[at].type == "trait_item") return true;
      if (t[at].type == "impl_item") return t.child(at, "trait") != kNoNode;
    }
    return false;
  }

  Result<void> check_fields() const {
    const auto& t = tree();
    if (rust_within(from_.path, target_.path)) return {};
    for (auto i = node_; i < t[node_].after; ++i) {
      const auto& type = t[i].type;
      const bool named = type == "field_declaration";
      if (named) {
        bool open = false;
        for (const auto c : t.children(i)) {
          open =
              open || (t[c].type == "visibility_modifier" && from_.source.slice(c) != "pub(self)");
        }
        if (!open) return here("has private fields, which its module uses");
      }
      if (type == "ordered_field_declaration_list") {
        bool open = false;
        for (const auto c : t.children(i)) {
          if (t[c].type == "visibility_modifier") {
            open = true;
          } else if (t[c].type == ",") {
            open = false;
          } else if (t[c].named && t[c].field == "type" && !open) {
            return here("has private fields, which its module uses");
          }
        }
      }
    }
    return {};
  }

  // What the target has to bring in, and whether names mean the same there.
  Result<void> find_needs() {
    for (const auto& name : names_) {
      for (const auto* m : {&from_, &target_}) {
        if (has_word(m->macros, name)) {
          return no("a macro at the top of " + m->source.path + " may define " + name);
        }
      }
      const auto item = from_.items.find(name);
      const auto* use = from_.use_of(name);
      const auto* theirs = target_.use_of(name);
      const bool defined_there = target_.items.contains(name);
      if (item == from_.items.end() && use == nullptr) {
        if (macros_.contains(name)) AMBIT_CHECK_OK(check_macro(name));
        if (theirs != nullptr || defined_there) {
          return no(to_ + " means something of its own by " + name);
        }
        continue;
      }
      if (item != from_.items.end()) {
        const auto& type = tree()[item->second.node].type;
        if (type == "macro_definition" || type == "extern_crate_declaration") {
          return here("uses " + name + ", which is known by the order of the text");
        }
      }
      const auto path = use != nullptr ? use->path : from_.path + "::" + name;
      if (path == target_.path + "::" + name) continue;
      if (defined_there || (theirs != nullptr && theirs->path != path)) {
        return no(to_ + " means something else by " + name);
      }
      if (theirs != nullptr) continue;
      AMBIT_CHECK_OK(need(path, name));
    }
    return {};
  }

  Result<void> need(const std::string& path, const std::string& name) {
    if (path.starts_with("crate") && !rust_visible(snapshot_, from_, path, target_.path)) {
      return here("uses " + path + ", which " + target_.path + " may not name");
    }
    const bool same = path.ends_with("::" + name) || path == name;
    if (path == name) return {};  // a crate: its name is known everywhere
    for (const auto& method : rust_trait_methods(snapshot_, path)) {
      if (target_.source.text.find("." + method + "(") != std::string::npos) {
        return no(to_ + " calls a method " + method + ", and " + path + " would bring another");
      }
    }
    lines_.insert("use " + path + (same ? "" : " as " + name));
    return {};
  }

  // A macro of this repository is known by the order of the text, if nobody imports it.
  Result<void> check_macro(const std::string& name) const {
    for (const auto& s : snapshot_.definitions(name, 50)) {
      if (s.kind == SymbolKind::kMacro) {
        return here("uses the macro " + name + ", which is known by the order of the text");
      }
    }
    return {};
  }

  // Traits that nobody names but whose methods are called.
  Result<void> find_traits() {
    for (const auto& use : from_.uses) {
      const auto last = use.path.substr(use.path.rfind(':') + 1);
      if (names_.contains(use.name) || members_.empty() || last.empty() ||
          (use.name != "_" && (last[0] < 'A' || last[0] > 'Z'))) {
        continue;
      }
      if (!may_need_trait(snapshot_, use, members_)) continue;
      const bool there = std::any_of(target_.uses.begin(), target_.uses.end(),
                                     [&](const RustUse& u) { return u.path == use.path; });
      if (there) continue;
      if (use.name != "_" &&
          (target_.items.contains(use.name) || target_.use_of(use.name) != nullptr)) {
        return no(to_ + " means something else by " + use.name);
      }
      AMBIT_CHECK_OK(need(use.path, use.name));
    }
    return {};
  }

  // A use of the old module, if anybody there or outside may look for it.
  void leave() {
    const auto& f = from_.source;
    edits_.edit(f, with_gap(f, span_), "");
    if (!is_looked_for()) return;
    const auto line = (visibility_.empty() ? "" : visibility_ + " ") + "use " + target_.path +
                      "::" + symbol_.name;
    add_rust_uses(from_, {line}, edits_);
  }

  // Private things are found by the module itself and those in it.
  [[nodiscard]] bool is_looked_for() const {
    if (!visibility_.empty()) return true;
    const auto& f = from_.source;
    for (const auto& m : f.facts.mentions) {
      if (!inside(m.span, span_) && f.slice(m.span) == symbol_.name) return true;
    }
    for (const auto& r : snapshot_.references(symbol_.name, 1000)) {
      if (r.path == symbol_.path) continue;
      const auto m = load_rust_module(snapshot_, r.path);
      if (m && m->root == from_.root && rust_within(m->path, from_.path)) return true;
    }
    return false;
  }

  void arrive() {
    const auto& f = target_.source;
    const auto& n = tree()[node_];
    auto body = std::string(from_.source.slice(span_));
    if (visibility_.empty() && is_looked_for()) {
      body.insert(n.span.begin - span_.begin, "pub(crate) ");
    } else if (visibility_ == "pub(super)" || visibility_ == "pub(self)") {
      body.replace(n.span.begin - span_.begin, visibility_.size(), "pub(crate)");
    }
    add_rust_uses(target_, lines_, edits_);
    // In front of the module of its tests.
    const auto size = static_cast<std::uint32_t>(f.text.size());
    auto at = size, attribute = size;
    for (const auto c : f.tree->children(0)) {
      const auto& other = (*f.tree)[c];
      if (other.type == "attribute_item") {
        attribute = std::min(attribute, other.span.begin);
        continue;
      }
      const auto name = f.tree->child(c, "name");
      const bool tests =
          other.type == "mod_item" && name != kNoNode && f.slice(name).starts_with("test");
      if (tests && other.after >= f.tree->nodes().size()) at = attribute;
      attribute = size;
    }
    const auto end = std::string(line_end_of(f.text));
    const auto before = std::string_view(f.text).substr(0, at);
    const std::string gap = before.empty() || before.ends_with("\n\n") ? ""
                            : before.ends_with('\n')                   ? "\n"
                                                                       : "\n\n";
    const auto* behind = at < size ? "\n" : "";
    edits_.edit(f, {at, at}, with_line_ends(gap + body + behind, end));
  }

  const Snapshot& snapshot_;
  const Symbol& symbol_;
  const std::string to_;
  RustModule from_, target_;
  std::uint32_t node_ = 0;
  std::string visibility_;
  ByteSpan span_;
  Names names_, members_, macros_;
  bool relative_ = false, has_use_ = false;
  std::set<std::string> lines_;  // imports that the target gets
  FileEdits edits_;
};

}  // namespace

Result<PlanStep> plan_rust_move(const Snapshot& snapshot, const Symbol& symbol,
                                const std::string& to) {
  return RustMover(snapshot, symbol, to).plan();
}

}  // namespace ambit::daemon
