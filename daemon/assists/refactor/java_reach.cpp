#include "daemon/assists/refactor/java_reach.h"

#include <algorithm>

#include "daemon/assists/refactor/imports.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::kNoNode;
using indexer::Language;
using indexer::Snapshot;
using indexer::SymbolKind;

JavaPackages::JavaPackages(const Snapshot& snapshot) : snapshot_(snapshot) {
  for (const auto& f : snapshot.files()) {
    if (f.language != Language::kJava || base_of(f.path) == "module-info.java") continue;
    const auto text = snapshot.text(f.path);
    if (!text) continue;
    auto package = java_package_of(*text);
    files_[package].push_back(f.path);
    packages_[f.path] = std::move(package);
    all_.push_back(f.path);
  }
}

const std::vector<std::string>& JavaPackages::files_of(const std::string& package) const {
  static const std::vector<std::string> kNone;
  const auto it = files_.find(package);
  return it == files_.end() ? kNone : it->second;
}

std::string JavaPackages::package_of(const std::string& path) const {
  const auto it = packages_.find(path);
  return it == packages_.end() ? "" : it->second;
}

std::optional<std::string> JavaPackages::root_of(const std::string& path) const {
  auto folder = package_of(path);
  std::replace(folder.begin(), folder.end(), '.', '/');
  const auto own = folder_of_path(path);
  if (folder.empty() || !own.ends_with(folder + "/")) return std::nullopt;
  auto root = own.substr(0, own.size() - folder.size() - 1);
  if (!root.empty() && !root.ends_with('/')) return std::nullopt;
  return root;
}

std::string JavaPackages::home_of(const std::string& package, const std::string& type) const {
  for (const auto& s : snapshot_.definitions(type, 400)) {
    const bool is_type = s.kind == SymbolKind::kClass || s.kind == SymbolKind::kInterface ||
                         s.kind == SymbolKind::kEnum;
    if (is_type && s.scope.empty() && packages_.contains(s.path) && package_of(s.path) == package)
      return s.path;
  }
  return "";
}

Result<const JavaFile*> JavaPackages::file(const std::string& path) {
  if (const auto it = loaded_.find(path); it != loaded_.end()) return &it->second;
  AMBIT_TRY(loaded, JavaFile::load(snapshot_, path));
  return &loaded_.emplace(path, std::move(loaded)).first->second;
}

namespace {

// What stands in front of the dot before a name: "this", "super", else anything.
std::string_view receiver_of(const JavaFile& f, std::uint32_t node) {
  const std::string_view text = f.source.text;
  auto at = text.substr(0, f.tree()[node].span.begin).find_last_not_of(" \t\r\n");
  if (at == std::string_view::npos || text[at] != '.') return "";
  at = text.substr(0, at).find_last_not_of(" \t\r\n");
  if (at == std::string_view::npos) return "";
  auto begin = at + 1;
  while (begin > 0 && word_byte(text[begin - 1])) --begin;
  return text.substr(begin, at + 1 - begin);
}

// Part of a package's name, in its declaration or in an import of something else than `type`.
bool in_other_name(const JavaFile& f, std::uint32_t node, const std::string& type) {
  const auto& t = f.tree();
  for (auto at = node; at != kNoNode; at = t[at].parent) {
    if (t[at].type == "package_declaration") return true;
    if (t[at].type == "import_declaration") return !has_word(f.slice(at), type);
  }
  return false;
}

}  // namespace

bool java_makes(const JavaFile& f, std::uint32_t node) {
  const auto& t = f.tree();
  auto above = t[node].parent;  // past "<>" and what stands in front of a dot
  while (t[above].type == "generic_type" || t[above].type == "scoped_type_identifier") {
    above = t[above].parent;
  }
  return t[above].type == "object_creation_expression" ||
         std::string_view(f.source.text).substr(t[node].span.end).starts_with("::new");
}

std::set<std::string> java_names_in(const JavaPart& part) {
  const auto& f = *part.file;
  const auto& t = f.tree();
  std::set<std::string> out;
  for (auto i = part.node; i < t[part.node].after; ++i) {
    if (f.is_simple_name(i)) out.emplace(f.slice(i));
  }
  return out;
}

bool java_part_says(const JavaPart& part, std::string_view word) {
  return has_word(part.file->source.slice(part.span), word);
}

Result<void> check_java_uses(JavaPackages& packages, const JavaPart& part) {
  const auto& f = *part.file;
  const auto& t = f.tree();
  std::set<std::pair<std::string, bool>> seen;  // name, through its own object
  for (auto i = part.node; i < t[part.node].after; ++i) {
    if (t[i].type != "identifier" && t[i].type != "type_identifier") continue;
    const auto name = std::string(f.slice(i));
    const bool bare = f.is_simple_name(i);
    const bool made = java_makes(f, i);
    // Of a plain name only what is inherited can be meant, or what is made.
    if (bare && part.parents.empty() && !made) continue;
    const auto receiver = receiver_of(f, i);
    const bool own = !made && (bare || receiver == "this" || receiver == "super");
    if (!seen.emplace(name, own).second) continue;
    for (const auto& s : packages.snapshot().definitions(name, 1000)) {
      if (s.scope.empty() || packages.package_of(s.path) != f.package) continue;
      if (s.path == f.source.path && inside(s.name_span, part.span)) continue;
      AMBIT_TRY(home, packages.file(s.path));
      const auto access = home->access_of([&] {
        auto at = home->tree().around(s.name_span);
        while (home->tree()[at].parent != kNoNode &&
               (home->tree()[at].type == "identifier" ||
                home->tree()[at].type == "variable_declarator")) {
          at = home->tree()[at].parent;
        }
        return at;
      }());
      if (made != (s.kind == SymbolKind::kConstructor)) continue;
      if (access == JavaAccess::kPackage || (access == JavaAccess::kProtected && !own)) {
        return refusal(f.source.path, f.source.line_of(t[i].span.begin),
                       "uses " + s.scope + "." + name + ", which only its package may");
      }
    }
  }
  // super(…) of a class of the same package, written or not.
  for (const auto& parent : part.parents) {
    if (f.import_of(parent) != nullptr) continue;
    const auto home = packages.home_of(f.package, parent);
    if (home.empty()) continue;
    AMBIT_TRY(file, packages.file(home));
    for (const auto type : file->types) {
      if (file->name_of(type) != parent) continue;
      for (const auto& m : file->members_of(type)) {
        if (m.constructor && m.name == parent && m.access == JavaAccess::kPackage) {
          return refusal(f.source.path, f.source.line_of(t[part.node].span.begin),
                         "extends " + parent + ", whose constructor only its package may use");
        }
      }
    }
  }
  return {};
}

Result<void> check_java_users(JavaPackages& packages, const JavaPart& type) {
  const auto& f = *type.file;
  const auto own_name = f.name_of(type.node);
  std::map<std::string, JavaAccess> closed;
  for (const auto& m : f.members_of(type.node)) {
    if (m.access != JavaAccess::kPackage && m.access != JavaAccess::kProtected) continue;
    closed.emplace(m.name, m.access);
  }
  if (closed.empty()) return {};
  for (const auto& path : packages.files_of(f.package)) {
    AMBIT_TRY(user, packages.file(path));
    const auto& t = user->tree();
    const bool heir = has_word(user->source.text, own_name);
    for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
      if (t[i].type != "identifier" && t[i].type != "type_identifier") continue;
      if (path == f.source.path && inside(t[i].span, type.span)) continue;
      const auto it = closed.find(std::string(user->slice(i)));
      if (it == closed.end() || in_other_name(*user, i, own_name)) continue;
      const bool simple = user->is_simple_name(i);
      const bool made = java_makes(*user, i);
      // The class itself is another thing than its constructor.
      if (it->first == own_name && !made) continue;
      // What is inherited has no dot in front of it, nor has what overrides it.
      if (simple && !made && (!heir || it->second == JavaAccess::kProtected)) continue;
      return refusal(path, user->source.line_of(t[i].span.begin),
                     "uses " + it->first + ", which only the package of " + own_name + " may");
    }
  }
  return {};
}

Result<std::set<std::string>> java_imports_for(JavaPackages& packages, const JavaPart& part,
                                               const std::string& package) {
  const auto& f = *part.file;
  std::set<std::string> out;
  const auto names = java_names_in(part);
  for (const auto& i : f.imports) {
    const auto words = std::string(f.slice(i.node));
    if (i.star || java_part_says(part, i.name())) out.insert(words);
  }
  for (const auto& name : names) {
    if (f.import_of(name) != nullptr) continue;
    const auto beside = packages.home_of(f.package, name);
    const auto there = packages.home_of(package, name);
    const bool own = name == f.name_of(part.node);
    if (own || (beside.empty() && there.empty())) continue;
    if (f.package == package) continue;
    if (f.declares(name, part.span)) {
      // A nested type or a variable: which one is meant where is not looked into.
      if (beside.empty() && there.empty()) continue;
      return no(f.source.path + " means more than one thing by " + name);
    }
    if (beside.empty()) return no("package " + package + " means something of its own by " + name);
    if (!there.empty()) return no("package " + package + " has another " + name);
    AMBIT_TRY(home, packages.file(beside));
    for (const auto type : home->types) {
      if (home->name_of(type) != name) continue;
      if (!home->says(type, "public")) {
        return refusal(beside, home->source.line_of(home->tree()[type].span.begin),
                       name + " is not public, and is used by what moves to another package");
      }
    }
    out.insert("import " + f.package + "." + name + ";");
  }
  return out;
}

}  // namespace ambit::daemon
