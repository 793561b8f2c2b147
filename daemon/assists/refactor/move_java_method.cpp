// Moves a static method of Java to another class. What it names of its class is named through it,
// everybody who calls it names the new class. Methods of objects stay: what they mean depends on
// the object.
#include <algorithm>

#include "daemon/assists/refactor/java_reach.h"
#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Snapshot;
using indexer::Symbol;

namespace {

class JavaMethodMover {
 public:
  JavaMethodMover(const Snapshot& snapshot, const Symbol& symbol, const std::string& to)
      : snapshot_(snapshot), symbol_(symbol), to_(to), packages_(snapshot) {}

  Result<PlanStep> plan(std::stop_token stop) {
    AMBIT_CHECK_OK(find_method());
    AMBIT_CHECK_OK(find_target());
    AMBIT_CHECK_OK(read_body());
    if (to().package != from().package) AMBIT_CHECK_OK(check_java_uses(packages_, part_));
    AMBIT_CHECK_OK(find_imports());
    for (const auto& path : packages_.all()) {
      if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
      const auto text = snapshot_.text(path);
      if (!text || !has_word(*text, symbol_.name)) continue;
      AMBIT_TRY(user, packages_.file(path));
      AMBIT_CHECK_OK(change_user(*user));
    }
    AMBIT_CHECK_OK(write());
    return edits_.take("move " + old_class_ + "." + symbol_.name + " to " + to_);
  }

 private:
  [[nodiscard]] Error here(const std::string& why) const {
    return refusal(symbol_.path, symbol_.line, why);
  }
  [[nodiscard]] const JavaFile& from() const { return *part_.file; }
  [[nodiscard]] const JavaFile& to() const { return *target_; }
  [[nodiscard]] std::string new_full() const { return to().package + "." + new_class_; }

  Result<void> find_method() {
    AMBIT_TRY(from_file, packages_.file(symbol_.path));
    part_.file = from_file;
    const auto& f = from();
    const auto& t = f.tree();
    part_.node = t[t.around(symbol_.name_span)].parent;
    if (t[part_.node].type != "method_declaration" || !f.says(part_.node, "static")) {
      return here("is no static method; others belong to their objects");
    }
    type_ = t[t[part_.node].parent].parent;
    if (type_ == kNoNode || t[type_].type != "class_declaration" || t[type_].parent != 0) {
      return here("belongs to no class at the top of its file");
    }
    old_class_ = f.name_of(type_);
    std::size_t same = 0;
    for (const auto type : f.types) {
      for (const auto& m : f.members_of(type)) same += m.name == symbol_.name ? 1 : 0;
    }
    if (same != 1) return here("is one of several of its name in its file");
    auto span = t[part_.node].span;
    span.begin = std::min(span.begin, symbol_.span.begin);
    AMBIT_TRY(lines, whole_lines(f.source, symbol_, span));
    part_.span = lines;
    part_.parents = f.parents_of(type_);
    return {};
  }

  Result<void> find_target() {
    if (!snapshot_.file(to_)) return no("there is no " + to_ + "; make its class first");
    AMBIT_TRY(target, packages_.file(to_));
    target_ = target;
    if (target_ == part_.file) return no(symbol_.name + " is there already");
    new_class_ = stem_of(to_);
    for (const auto type : to().types) {
      if (to().name_of(type) == new_class_) new_type_ = type;
    }
    if (new_type_ == 0 || to().tree()[new_type_].type != "class_declaration") {
      return no(to_ + " has no class " + new_class_);
    }
    if (from().package != to().package &&
        (from().package.empty() || to().package.empty() || !to().says(new_type_, "public"))) {
      return no(new_class_ + " is not public, and of another package than " + old_class_);
    }
    new_parents_ = !to().parents_of(new_type_).empty();
    for (const auto& m : to().members_of(new_type_)) taken_.insert(m.name);
    if (taken_.contains(symbol_.name)) return no(to_ + " has a " + symbol_.name + " already");
    if (!new_parents_) return {};
    for (const auto& s : snapshot_.definitions(symbol_.name, 400)) {
      if (s.path != symbol_.path && !s.scope.empty()) {
        return no(new_class_ + " may inherit another " + symbol_.name + ", which " + s.path +
                  " defines");
      }
    }
    return {};
  }

  // Names of its class get that in front of them.
  Result<void> read_body() {
    const auto& f = from();
    const auto& t = f.tree();
    std::set<std::string> fields, methods, types;
    for (const auto& m : f.members_of(type_)) {
      if (m.constructor || !is_direct(m.node)) continue;
      auto& all = f.is_type(m.node)                        ? types
                  : t[m.node].type == "method_declaration" ? methods
                                                           : fields;
      all.insert(m.name);
    }
    for (auto i = part_.node; i < t[part_.node].after; ++i) {
      AMBIT_CHECK_OK(check_private(i));
      if (!f.is_simple_name(i)) continue;
      const auto name = std::string(f.slice(i));
      const auto& above = t[t[i].parent];
      const bool call = above.type == "method_invocation" && t[i].field == "name";
      if (name == symbol_.name || (above.type == "element_value_pair" && t[i].field == "key")) {
        continue;
      }
      const bool local = !call && t[i].type == "identifier" && f.declares(name, part_.span);
      if (local) continue;
      const bool found =
          call ? methods.contains(name)
               : types.contains(name) || (t[i].type == "identifier" && fields.contains(name));
      if (found) {
        if (f.declares(name, part_.span) && !call) return here("has another " + name);
        // All overloads: one that is out of reach would leave the call to another one.
        for (const auto& m : f.members_of(type_)) {
          if (m.name == name && !m.constructor) AMBIT_CHECK_OK(reach(m));
        }
        qualified_.push_back({t[i].span.begin, t[i].span.begin});
        continue;
      }
      if (taken_.contains(name)) return no(to_ + " has a " + name + " of its own");
      if (call && !is_static_import(name) && !part_.parents.empty()) {
        return here("calls " + name + ", which may be inherited");
      }
      if (call && new_parents_) {
        return here("calls " + name + ", which " + new_class_ + " may inherit");
      }
      const bool variable =
          t[i].type == "identifier" && !call &&
          !std::string_view(f.source.text).substr(t[i].span.end).starts_with('.') &&
          above.type.find("annotation") == std::string_view::npos &&
          above.type.find("declaration") == std::string_view::npos &&
          above.type != "switch_label" && !is_static_import(name);
      if (variable && !part_.parents.empty()) {
        return here("uses " + name + ", which may be inherited");
      }
    }
    return {};
  }

  // object.NAME, new NAME(…): private ones belong to its file.
  Result<void> check_private(std::uint32_t i) const {
    const auto& f = from();
    const auto& t = f.tree();
    if (t[i].type != "identifier" && t[i].type != "type_identifier") return {};
    const bool made = java_makes(f, i);
    if (f.is_simple_name(i) && !made) return {};
    for (const auto type : f.types) {
      for (const auto& m : f.members_of(type)) {
        if (m.name == f.slice(i) && m.constructor == made && m.access == JavaAccess::kPrivate) {
          return here("uses " + m.name + ", which is private to " + symbol_.path);
        }
      }
    }
    return {};
  }

  [[nodiscard]] bool is_direct(std::uint32_t member) const {
    const auto& t = from().tree();
    return t[t[member].parent].parent == type_;
  }

  [[nodiscard]] bool is_static_import(std::string_view name) const {
    return std::any_of(from().imports.begin(), from().imports.end(),
                       [&](const JavaImport& i) { return i.is_static && i.name() == name; });
  }

  Result<void> reach(const JavaMember& m) {
    needs_old_ = true;
    if (m.access == JavaAccess::kPrivate) {
      return here("uses " + m.name + ", which is private to " + old_class_);
    }
    if (from().package != to().package && m.access != JavaAccess::kPublic) {
      return here("uses " + m.name + ", which only the package of " + old_class_ + " may");
    }
    return {};
  }

  Result<void> find_imports() {
    for (const auto& i : from().imports) {
      const bool there = std::any_of(to().imports.begin(), to().imports.end(), [&](const auto& o) {
        return o.star && o.path == i.path && o.is_static == i.is_static;
      });
      if (i.star && !there) {
        return no(symbol_.path + " imports everything of " + i.path +
                  "; what the method uses of it is not known");
      }
    }
    AMBIT_TRY(lines, java_imports_for(packages_, part_, to().package));
    std::erase_if(lines, [](const auto& l) { return l.find('*') != std::string::npos; });
    if (needs_old_ && from().package != to().package) {
      if (!from().says(type_, "public"))
        return here("uses " + old_class_ + ", which is not public");
      lines.insert("import " + from().package + "." + old_class_ + ";");
    }
    for (const auto& line : lines) {
      const auto path = line.substr(line.rfind(' ') + 1, line.size() - line.rfind(' ') - 2);
      const auto name = path.substr(path.rfind('.') + 1);
      const bool is_static = line.starts_with("import static ");
      if (name == new_class_) return no(to_ + " is itself a " + name);
      for (const auto& other : to().imports) {
        if (other.name() == name && other.is_static == is_static && other.path != path) {
          return no(to_ + " imports another " + name + ": " + other.path);
        }
      }
      for (const auto type : to().types) {
        if (to().name_of(type) == name) return no(to_ + " has a " + name + " of its own");
      }
      if (is_static && new_parents_) {
        return here("imports " + name + ", which " + new_class_ + " may inherit");
      }
    }
    added_ = std::move(lines);
    return {};
  }

  // What names the new class in a file.
  Result<std::string> words_for(const JavaFile& f, std::size_t at) {
    used_ = true;
    if (f.package != to().package && !f.source.path.empty()) foreign_ = true;
    const ByteSpan all{0, static_cast<std::uint32_t>(f.source.text.size())};
    if (&f == target_) return new_class_;
    const auto* import = f.import_of(new_class_);
    const auto own = packages_.home_of(f.package, new_class_);
    if ((import != nullptr && import->path != new_full()) || f.declares(new_class_, all) ||
        (import == nullptr && !own.empty() && own != to_)) {
      return refusal(f.source.path, f.source.line_of(at),
                     "calls it, and means something else by " + new_class_);
    }
    if (import == nullptr && f.package != to().package)
      importers_[&f].insert("import " + new_full() + ";");
    return new_class_;
  }

  Result<void> change_user(const JavaFile& f) {
    const auto& t = f.tree();
    const auto& name = symbol_.name;
    const auto old_full = from().package.empty() ? old_class_ : from().package + "." + old_class_;
    bool star = false, brought = false;
    for (const auto& i : f.imports) {
      if (!i.is_static) continue;
      star = star || (i.star && i.path == old_full);
      if (i.star || i.path != old_full + "." + name) continue;
      brought = true;
      used_ = true;
      foreign_ = foreign_ || f.package != to().package;
      edits_.edit(f.source, t[i.node].span, "import static " + new_full() + "." + name + ";");
    }
    const bool others = snapshot_.definitions(name, 2).size() > 1;
    for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
      const auto at = t[i].span.begin;
      if (t[i].type == "string_literal" && f.slice(i) == "\"" + name + "\"") {
        return refusal(f.source.path, f.source.line_of(at),
                       "names " + name + " in a string, which this cannot follow");
      }
      if (t[i].type != "identifier" || f.slice(i) != name) continue;
      if (&f == part_.file && inside(t[i].span, part_.span)) continue;
      const auto above = t[i].parent;
      const bool call = t[above].type == "method_invocation" && t[i].field == "name";
      const bool reference = t[above].type == "method_reference";
      if (!call && !reference) continue;
      const auto object = call ? t.child(above, "object") : t.children(above).front();
      if (object == kNoNode) {
        if (&f == part_.file) {
          AMBIT_TRY(words, words_for(f, at));
          edits_.edit(f.source, {at, at}, words + ".");
        } else if (&f == target_ || brought) {
          used_ = true;
        } else if (star) {
          used_ = true;
          importers_[&f].insert("import static " + new_full() + "." + name + ";");
          foreign_ = foreign_ || f.package != to().package;
        } else if (has_word(f.source.text, old_class_) && !others) {
          return refusal(f.source.path, f.source.line_of(at), "calls it in a way not followed");
        } else {
          for (const auto type : f.types) {
            const auto parents = f.parents_of(type);
            if (std::find(parents.begin(), parents.end(), old_class_) != parents.end()) {
              return refusal(f.source.path, f.source.line_of(at), "may call it as inherited");
            }
          }
        }
        continue;
      }
      const auto words = f.slice(object);
      if (words == old_full && !from().package.empty()) {
        used_ = true;
        foreign_ = foreign_ || f.package != to().package;
        edits_.edit(f.source, t[object].span, new_full());
      } else if (words == old_class_ && f.means(from().package, old_class_) &&
                 !f.declares(old_class_, {0, static_cast<std::uint32_t>(f.source.text.size())})) {
        AMBIT_TRY(now, words_for(f, at));
        edits_.edit(f.source, t[object].span, now);
      } else if (!others || words == "this" || words == "super") {
        return refusal(f.source.path, f.source.line_of(at), "calls it through an object");
      }
    }
    return {};
  }

  Result<void> write() {
    const auto& f = from();
    const auto access = f.access_of(part_.node);
    auto text = std::string(f.source.slice(part_.span));
    std::vector<TextEdit> inner;
    for (const auto& q : qualified_) {
      const auto at = q.begin - part_.span.begin;
      inner.push_back({{at, at}, old_class_ + ".", 0});
    }
    if (used_ && access == JavaAccess::kPrivate) {
      // Its class may still call it; those of another package may not.
      if (foreign_ || f.package != to().package)
        return here("is private, and used outside of " + to_);
      const auto at = text.find("private ", f.tree()[part_.node].span.begin - part_.span.begin);
      if (at == std::string::npos) return here("writes private in an unusual way");
      const auto begin = static_cast<std::uint32_t>(at);
      inner.push_back({{begin, begin + 8}, "", 0});
    } else if (foreign_ && access != JavaAccess::kPublic) {
      return here("is not public, and used outside of the package of " + to_);
    }
    AMBIT_TRY(moved, apply_edits(text, inner));
    // With the empty lines behind it, or in front of it at the end of its class.
    auto gone = part_.span;
    const auto& all = f.source.text;
    while (gone.end < all.size() && all[gone.end] == '\n') ++gone.end;
    const auto next = all.find_first_not_of(" \t\r\n", gone.end);
    if (next != std::string::npos && all[next] == '}') {
      gone.end = part_.span.end;
      while (gone.begin > 1 && all[gone.begin - 1] == '\n' && all[gone.begin - 2] == '\n') {
        --gone.begin;
      }
    }
    edits_.edit(f.source, gone, "");
    const auto body = to().tree().child(new_type_, "body");
    const auto& there = to().source.text;
    const auto end = std::string(line_end_of(there));
    auto at = to().tree()[body].span.end - 1;
    auto line = at;
    while (line > 0 && (there[line - 1] == ' ' || there[line - 1] == '\t')) --line;
    const bool own_line = line > 0 && there[line - 1] == '\n';
    if (own_line) at = line;
    const bool empty = there[there.find_last_not_of(" \t\r\n", at - 1)] == '{';
    edits_.edit(
        to().source, {at, at},
        with_line_ends((own_line ? "" : "\n") + std::string(empty ? "" : "\n") + moved, end));
    for (const auto& [file, lines] : importers_) {
      if (file != target_) add_java_imports(*file, lines, edits_);
    }
    add_java_imports(to(), added_, edits_);
    return {};
  }

  const Snapshot& snapshot_;
  const Symbol& symbol_;
  const std::string to_;
  JavaPackages packages_;
  JavaPart part_;
  const JavaFile* target_ = nullptr;
  std::uint32_t type_ = 0, new_type_ = 0;  // the classes
  std::string old_class_, new_class_;
  bool new_parents_ = false;     // the new class inherits
  bool needs_old_ = false;       // the method names its old class
  bool used_ = false;            // by somebody else
  bool foreign_ = false;         // of another package than the new one's
  std::set<std::string> taken_;  // names of the new class
  std::vector<ByteSpan> qualified_;
  std::set<std::string> added_;
  std::map<const JavaFile*, std::set<std::string>> importers_;
  FileEdits edits_;
};

}  // namespace

Result<PlanStep> plan_java_method_move(const Snapshot& snapshot, const Symbol& symbol,
                                       const std::string& to, std::stop_token stop) {
  return JavaMethodMover(snapshot, symbol, to).plan(stop);
}

}  // namespace ambit::daemon
