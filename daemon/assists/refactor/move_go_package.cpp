// Moves a function or type of Go to another package of its module. What it names of its package
// gets that in front, its users name the new one, and the imports of all follow. Only what is
// exported can be named from elsewhere, and packages must not import each other in a circle.
#include <algorithm>

#include "daemon/assists/refactor/go_part.h"
#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/rename.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;
using indexer::Snapshot;
using indexer::Symbol;
using indexer::SymbolKind;

namespace {

bool exported(std::string_view name) {
  return !name.empty() && name[0] >= 'A' && name[0] <= 'Z';
}

class GoPackageMover {
 public:
  GoPackageMover(const Snapshot& snapshot, const Symbol& symbol, const std::string& to,
                 const GoFile& from, const GoFile* target)
      : snapshot_(snapshot),
        symbol_(symbol),
        to_(to),
        from_(from),
        target_(target),
        old_folder_(folder_of(symbol.path)),
        new_folder_(folder_of(to)),
        graph_(snapshot) {}

  Result<PlanStep> plan() {
    AMBIT_TRY(part, find_go_part(from_, symbol_));
    part_ = std::move(part);
    AMBIT_CHECK_OK(find_packages());
    AMBIT_CHECK_OK(check_definition());
    AMBIT_CHECK_OK(qualify_body());
    AMBIT_CHECK_OK(find_go_imports(snapshot_, from_, symbol_, target_, to_, part_));
    for (const auto& f : snapshot_.files()) {
      if (f.language != Language::kGo || !f.path.ends_with(".go")) continue;
      const auto text = snapshot_.text(f.path);
      if (!text || !has_word(*text, symbol_.name)) continue;
      if (f.path == symbol_.path) {
        AMBIT_CHECK_OK(change_own_package(from_));
        continue;
      }
      AMBIT_TRY(user, GoFile::load(snapshot_, f.path));
      if (folder_of(f.path) == old_folder_ && user.package == from_.package) {
        AMBIT_CHECK_OK(change_own_package(user));
      } else {
        AMBIT_CHECK_OK(change_other_package(user));
      }
    }
    AMBIT_CHECK_OK(check_circles());
    return write();
  }

 private:
  [[nodiscard]] Error here(const std::string& why) const {
    return refusal(symbol_.path, symbol_.line, why);
  }
  static Error at(const GoFile& f, std::uint32_t node, const std::string& why) {
    return refusal(f.source.path, f.source.line_of(f.tree()[node].span.begin), why);
  }

  Result<void> find_packages() {
    const auto old_path = go_import_path(snapshot_, old_folder_);
    const auto new_path = go_import_path(snapshot_, new_folder_);
    if (!old_path || !new_path)
      return no("there is no go.mod above " + symbol_.path + " and " + to_);
    old_path_ = *old_path;
    new_path_ = *new_path;
    for (const auto& f : snapshot_.files()) {
      if (f.language != Language::kGo || folder_of(f.path) != new_folder_) continue;
      AMBIT_TRY(file, GoFile::load(snapshot_, f.path));
      if (!f.path.ends_with("_test.go")) new_package_ = file.package;
      for (const auto& i : file.imports) {
        if (i.name == symbol_.name) return no(f.path + " imports something as " + symbol_.name);
      }
    }
    if (new_package_.empty()) new_package_ = base_of(new_folder_);
    if (!is_identifier(new_package_, Language::kGo)) {
      return no(new_folder_ + " is no name for a package");
    }
    if (target_ != nullptr && target_->package != new_package_) {
      return no(to_ + " is of package " + target_->package);
    }
    if (go_name_conditions(to_).contains("test")) return no(to_ + " is seen by its tests only");
    for (const auto& s : snapshot_.definitions(symbol_.name, 400)) {
      if (s.scope.empty() && folder_of(s.path) == new_folder_) {
        return refusal(s.path, s.line, "defines " + symbol_.name + " already");
      }
    }
    return {};
  }

  Result<void> check_definition() const {
    const auto& t = from_.tree();
    if (t[part_.node].type == "method_declaration") {
      return here("is a method, which belongs to the package of its type");
    }
    for (const auto& f : snapshot_.files()) {
      if (folder_of(f.path) != old_folder_) continue;
      if (f.path.ends_with(".s")) return no(f.path + " may define what the package declares");
      if (!f.path.ends_with(".go")) continue;
      for (const auto& s : snapshot_.symbols_in(f.path)) {
        if (s.scope == symbol_.name && s.kind == SymbolKind::kMethod &&
            !(s.path == symbol_.path && inside(s.name_span, part_.span))) {
          return here("has methods, which have to stay in its package (" + s.path + ")");
        }
      }
      const auto text = snapshot_.text(f.path);
      if (text && (text->find("-type=" + symbol_.name) != std::string::npos ||
                   text->find("Example" + symbol_.name) != std::string::npos)) {
        return no(f.path + " names it for a tool: an example, or go:generate");
      }
    }
    // Fields and methods of a lower case are its package's.
    for (auto i = part_.node; i < t[part_.node].after; ++i) {
      const auto& parent = t[t[i].parent].type;
      if (t[i].type != "field_identifier" || t[i].field != "name" ||
          (parent != "field_declaration" && parent != "method_elem") ||
          exported(from_.source.slice(i))) {
        continue;
      }
      const auto name = std::string(from_.source.slice(i));
      if (parent == "method_elem") return here("has a method " + name + ", which is not exported");
      for (const auto& f : snapshot_.files()) {
        if (folder_of(f.path) != old_folder_ || !f.path.ends_with(".go")) continue;
        auto text = snapshot_.text(f.path);
        if (text && f.path == symbol_.path) text->erase(part_.span.begin, part_.span.size());
        if (text && has_word(*text, name)) {
          return no(f.path + " may use its field " + name + ", which is not exported");
        }
      }
    }
    return {};
  }

  [[nodiscard]] bool defined_in(const std::string& folder, const std::string& name,
                                bool member = false) const {
    for (const auto& s : snapshot_.definitions(name, 1000)) {
      if (indexer::language_of(s.path) == Language::kGo && folder_of(s.path) == folder &&
          s.scope.empty() != member && !(s.path == symbol_.path && inside(s.name_span, part_.span)))
        return true;
    }
    return false;
  }

  // What it names of its package gets that in front.
  Result<void> qualify_body() {
    const auto& t = from_.tree();
    for (auto i = part_.node; i < t[part_.node].after; ++i) {
      const auto name = std::string(from_.source.slice(i));
      const bool field = t[i].type == "field_identifier";
      if (field || (from_.is_key(i) && t[i].type == "identifier")) {
        if (!exported(name) && defined_in(old_folder_, name, true)) {
          return at(from_, i, "uses " + name + ", which is not exported");
        }
        if (field) continue;
        if (defined_in(old_folder_, name)) {
          return at(from_, i, "has a key " + name + ", which may be a field or a value");
        }
        continue;
      }
      if (!from_.is_plain(i) || name == symbol_.name || from_.is_variable(name, t[i].span)) {
        continue;
      }
      if (!defined_in(old_folder_, name)) {
        if (name != "_" && defined_in(new_folder_, name)) {
          return no("package " + new_package_ + " means something of its own by " + name);
        }
        continue;
      }
      if (!exported(name)) {
        return at(from_, i, "uses " + name + ", which " + from_.package + " does not export");
      }
      qualified_.push_back(t[i].span.begin);
    }
    if (qualified_.empty()) return {};
    if (from_.package == "main") return here("uses names of package main, which nobody can import");
    const bool taken = std::any_of(
        from_.source.facts.locals.begin(), from_.source.facts.locals.end(), [&](const auto& l) {
          return inside(l.name, part_.span) && from_.source.slice(l.name) == from_.package;
        });
    if (taken || defined_in(new_folder_, from_.package)) {
      return no("the name of package " + from_.package + " is taken in " + to_);
    }
    for (const auto* f : {&from_, target_}) {
      if (f == nullptr) continue;
      for (const auto& i : f->imports) {
        if (i.name == from_.package && i.path != old_path_) {
          return no(f->source.path + " imports another " + from_.package + ": " + i.path);
        }
      }
    }
    return {};
  }

  // The name of the new package in a file, which will import it.
  Result<std::string> name_in(const GoFile& f, std::uint32_t node) {
    if (!exported(symbol_.name)) {
      return at(f, node,
                "uses " + symbol_.name + ", which would have to be exported; rename it to " +
                    "begin with a capital letter first");
    }
    if (new_package_ == "main") return at(f, node, "uses it, and nobody can import package main");
    if (!may_import(folder_of(f.source.path), new_path_)) {
      return at(f, node, "uses it, and may not import " + new_path_ + " (internal)");
    }
    const auto name = [&] {
      for (const auto& i : f.imports) {
        if (i.path == new_path_ && !i.name.empty() && i.name != "_" && i.name != ".") return i.name;
      }
      return new_package_;
    }();
    for (const auto& i : f.imports) {
      if (i.name == name && i.path != new_path_) {
        return refusal(f.source.path, 0, "imports another " + name + ": " + i.path);
      }
    }
    if (f.is_variable(name, f.tree()[node].span) ||
        defined_in(std::string(folder_of(f.source.path)), name)) {
      return at(f, node, "means something else by " + name);
    }
    importers_.emplace(folder_of(f.source.path));
    return name;
  }

  // "a/internal/b" is for what stands below a.
  [[nodiscard]] bool may_import(std::string_view folder, const std::string& path) const {
    const auto own = go_import_path(snapshot_, std::string(folder));
    auto at = ("/" + path + "/").rfind("/internal/");
    if (at == std::string::npos) return true;
    const auto root = at == 0 ? std::string() : path.substr(0, at - 1);
    return own && (*own == root || own->starts_with(root + "/"));
  }

  Result<void> change_own_package(const GoFile& f) {
    const auto& t = f.tree();
    std::string name;
    for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
      if (!f.is_plain(i) || f.source.slice(i) != symbol_.name) continue;
      if (f.source.path == symbol_.path && inside(t[i].span, part_.span)) continue;
      if (f.is_variable(symbol_.name, t[i].span)) continue;
      if (f.is_key(i)) return at(f, i, "has a key " + symbol_.name + ", a field or a value");
      AMBIT_TRY(package, name_in(f, i));
      name = package;
      edits_.edit(f.source, {t[i].span.begin, t[i].span.begin}, package + ".");
    }
    if (!name.empty()) add_go_imports(f, {new_import(f)}, edits_);
    return {};
  }

  [[nodiscard]] GoImport new_import(const GoFile& f) const {
    for (const auto& i : f.imports) {
      if (i.path == new_path_) return i;
    }
    GoImport out;
    out.path = new_path_;
    out.name = new_package_;
    out.named = base_of(new_path_) != new_package_;
    return out;
  }

  Result<void> change_other_package(const GoFile& f) {
    const GoImport* old = nullptr;
    for (const auto& i : f.imports) {
      if (i.path == old_path_) old = &i;
    }
    if (old == nullptr || old->name == "_") return {};
    const auto& t = f.tree();
    if (old->name == ".") return no(f.source.path + " imports " + old_path_ + " with a dot");
    std::size_t used = 0, moved = 0;
    const bool inside_new = folder_of(f.source.path) == new_folder_ && f.package == new_package_;
    bool imports_new = false;
    for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
      const auto& n = t[i];
      if (n.type != "identifier" && n.type != "package_identifier") continue;
      if (f.source.slice(i) != old->name || f.source.text[n.span.end] != '.') continue;
      if (t[n.parent].type == "import_spec" || f.is_variable(old->name, n.span)) continue;
      ++used;
      const auto rest = std::string_view(f.source.text).substr(n.span.end + 1);
      if (!rest.starts_with(symbol_.name) ||
          (rest.size() > symbol_.name.size() && word_byte(rest[symbol_.name.size()]))) {
        continue;
      }
      ++moved;
      if (inside_new) {
        if (f.is_variable(symbol_.name, n.span)) return at(f, i, "has a variable " + symbol_.name);
        edits_.edit(f.source, {n.span.begin, n.span.end + 1}, "");
        continue;
      }
      AMBIT_TRY(package, name_in(f, i));
      imports_new = true;
      edits_.edit(f.source, n.span, package);
    }
    if (moved > 0 && old->name.empty())
      return no(f.source.path + ": the name of an import is not known");
    if (moved == 0) return {};
    // The target's own imports are written with what moves there.
    const bool is_target = target_ != nullptr && f.source.path == to_;
    if (used > moved || (is_target && !qualified_.empty())) {
      if (imports_new) add_go_imports(f, {new_import(f)}, edits_);
    } else if (imports_new) {
      replace_go_import(f, *old, new_import(f), edits_);
    } else {
      drop_go_imports(f, {old}, edits_);
    }
    return {};
  }

  // What the new package will import must not import those that import it.
  Result<void> check_circles() {
    std::vector<std::string> needed;
    for (const auto* i : part_.needed) needed.push_back(i->path);
    if (!qualified_.empty()) needed.push_back(old_path_);
    for (const auto& path : needed) {
      if (!may_import(new_folder_, path))
        return no(to_ + " may not import " + path + " (internal)");
      if (graph_.reaches(path, new_path_)) {
        return no(path + " imports " + new_path_ + ", which would have to import it");
      }
    }
    for (const auto& folder : importers_) {
      const auto user = go_import_path(snapshot_, folder).value_or("");
      if (folder == new_folder_) continue;  // its tests, of a package of their own
      const bool circle = graph_.reaches(new_path_, user) ||
                          std::any_of(needed.begin(), needed.end(),
                                      [&](const auto& n) { return graph_.reaches(n, user); });
      if (circle) return no(user + " would have to import " + new_path_ + ", which needs it");
    }
    return {};
  }

  Result<PlanStep> write() {
    std::vector<TextEdit> inner;
    for (const auto at : qualified_) {
      const auto begin = at - part_.span.begin;
      inner.push_back({{begin, begin}, from_.package + ".", 0});
    }
    AMBIT_TRY(body, apply_edits(from_.source.slice(part_.span), inner));
    std::vector<GoImport> imports;
    for (const auto* i : part_.needed) {
      if (i->path != new_path_) imports.push_back(*i);
    }
    if (part_.needed.size() != imports.size()) {
      return here("uses the package that it moves to; take that out first");
    }
    if (!qualified_.empty()) {
      GoImport old;
      old.path = old_path_;
      old.name = from_.package;
      old.named = base_of(old_path_) != from_.package;
      imports.push_back(old);
    }
    move_go_part(from_, part_, target_, to_, new_package_, body, imports, edits_);
    return edits_.take("move " + symbol_.name + " to " + to_);
  }

  const Snapshot& snapshot_;
  const Symbol& symbol_;
  const std::string to_;
  const GoFile& from_;
  const GoFile* target_;
  const std::string old_folder_, new_folder_;
  std::string old_path_, new_path_, new_package_;
  GoPart part_;
  std::vector<std::uint32_t> qualified_;  // names of the old package in the part
  std::set<std::string> importers_;       // folders whose files will import the new package
  GoImportGraph graph_;
  FileEdits edits_;
};

}  // namespace

Result<PlanStep> plan_go_package_move(const Snapshot& snapshot, const Symbol& symbol,
                                      const std::string& to, const GoFile& from,
                                      const GoFile* target) {
  return GoPackageMover(snapshot, symbol, to, from, target).plan();
}

}  // namespace ambit::daemon
