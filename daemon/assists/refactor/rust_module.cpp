#include "daemon/assists/refactor/rust_module.h"

#include <algorithm>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::kNoNode;
using indexer::Snapshot;

namespace {

// src/ of the crate and the words of the module's path below it.
struct Place {
  std::string folder;              // "x/src/"
  std::vector<std::string> words;  // {} for the root itself
  bool root = false;
};
Result<Place> place_of(const std::string& path) {
  const auto at = path.rfind("src/");
  if (!path.ends_with(".rs") || at == std::string::npos || (at > 0 && path[at - 1] != '/')) {
    return no(path + " is in no src folder of a crate");
  }
  Place out;
  out.folder = path.substr(0, at + 4);
  auto rest = path.substr(at + 4, path.size() - at - 4 - 3);
  if (rest == "lib" || rest == "main") {
    out.root = true;
    return out;
  }
  if (rest.starts_with("bin/")) return no(path + " is a program of its own");
  if (rest.ends_with("/mod")) rest.resize(rest.size() - 4);
  for (std::size_t begin = 0; begin <= rest.size();) {
    const auto end = std::min(rest.find('/', begin), rest.size());
    out.words.push_back(rest.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::string visibility_of(const SourceFile& f, std::uint32_t node) {
  for (const auto c : f.tree->children(node)) {
    if ((*f.tree)[c].type == "visibility_modifier") return std::string(f.slice(c));
  }
  return "";
}

// The `mod NAME;` of a file. Its attributes stand in front of it.
Result<void> check_mod_line(const SourceFile& f, const std::string& name) {
  bool attributes = false;
  for (const auto c : f.tree->children(0)) {
    const auto& n = (*f.tree)[c];
    if (n.type == "attribute_item") {
      const auto words = f.slice(c);
      attributes = attributes || words.find("cfg") != std::string_view::npos ||
                   words.find("path") != std::string_view::npos;
      continue;
    }
    if (n.type == "mod_item" && f.slice(f.tree->child(c, "name")) == name) {
      if (f.tree->child(c, "body") != kNoNode) return no(f.path + " holds the module " + name);
      if (!attributes) return {};
      return refusal(f.path, f.line_of(n.span.begin),
                     "makes the module " + name + " depend on a condition or a path of its own");
    }
    if (n.type != "line_comment" && n.type != "block_comment") attributes = false;
  }
  return make_error(Code::kNotFound, f.path + " has no line mod " + name + ";");
}

// The file of a module, among its two possible names.
std::optional<std::string> file_of(const Snapshot& snapshot, const std::string& folder,
                                   const std::vector<std::string>& words) {
  std::string base = folder;
  for (std::size_t i = 0; i < words.size(); ++i) base += (i > 0 ? "/" : "") + words[i];
  for (const auto& path : {base + ".rs", base + "/mod.rs"}) {
    if (snapshot.file(path)) return path;
  }
  return std::nullopt;
}

Result<void> check_edition(const Snapshot& snapshot, const std::string& folder) {
  const auto text = snapshot.text(folder.substr(0, folder.size() - 4) + "Cargo.toml");
  if (!text) return no("there is no Cargo.toml beside " + folder);
  const auto at = text->find("edition");
  if (at == std::string::npos || text->substr(at, 40).find("2015") != std::string::npos) {
    return no(folder + " is of edition 2015, whose paths mean something else");
  }
  return {};
}

void add_use(RustModule& m, const std::string& path, std::string name,
             const std::string& visibility) {
  m.uses.push_back({path, std::move(name), visibility});
}

std::string joined(const std::string& a, std::string_view b) {
  if (a.empty()) return std::string(b);
  return b.empty() ? a : a + "::" + std::string(b);
}

std::string without_blanks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') out.push_back(c);
  }
  return out;
}

void read_use(RustModule& m, std::uint32_t node, std::string prefix,
              const std::string& visibility) {
  const auto& t = *m.source.tree;
  const auto& n = t[node];
  const auto words = [&](std::uint32_t i) {
    return i == kNoNode ? std::string() : without_blanks(m.source.slice(i));
  };
  if (n.type == "use_list") {
    for (const auto c : t.children(node)) {
      if (t[c].named) read_use(m, c, prefix, visibility);
    }
  } else if (n.type == "scoped_use_list") {
    const auto list = t.child(node, "list");
    prefix = joined(prefix, words(t.child(node, "path")));
    if (list != kNoNode) read_use(m, list, prefix, visibility);
  } else if (n.type == "use_as_clause") {
    const auto path = joined(prefix, words(t.child(node, "path")));
    add_use(m, path, words(t.child(node, "alias")), visibility);
  } else if (n.type == "use_wildcard") {
    auto path = words(node);
    path.resize(path.size() - std::min<std::size_t>(path.size(), path == "*" ? 1 : 3));
    add_use(m, joined(prefix, path), "*", visibility);
  } else if (n.type == "self" && !prefix.empty()) {
    add_use(m, prefix, prefix.substr(prefix.rfind(':') + 1), visibility);
  } else {
    const auto path = joined(prefix, words(node));
    add_use(m, path, path.substr(path.rfind(':') + 1), visibility);
  }
}

// From as it is written to absolute: self, super and names of the module itself.
std::string absolute(const RustModule& m, const std::string& path, int depth = 0) {
  const auto end = std::min(path.find("::"), path.size());
  const auto first = path.substr(0, end);
  const auto rest = end < path.size() ? path.substr(end + 2) : std::string();
  if (first == "self") return joined(m.path, rest);
  if (first == "super") {
    auto at = rust_parent(m.path);
    auto left = rest;
    while (left == "super" || left.starts_with("super::")) {
      at = rust_parent(at);
      left = left.size() > 7 ? left.substr(7) : "";
    }
    return joined(at, left);
  }
  if (first.empty() || first == "crate") return path;
  if (m.items.contains(first)) return joined(m.path, path);
  for (const auto& u : m.uses) {
    if (u.name == first && u.path != path && !u.path.starts_with(first + "::") && depth < 4) {
      return absolute(m, joined(u.path, rest), depth + 1);
    }
  }
  return path;
}

void read_top(RustModule& m) {
  const auto& t = *m.source.tree;
  for (const auto c : t.children(0)) {
    const auto& n = t[c];
    if (n.type == "use_declaration") {
      const auto argument = t.child(c, "argument");
      if (argument != kNoNode) read_use(m, argument, "", visibility_of(m.source, c));
      continue;
    }
    const bool macro =
        n.type == "macro_invocation" || (n.type == "expression_statement" && c + 1 < n.after &&
                                         t[c + 1].type == "macro_invocation");
    if (macro) m.macros += std::string(m.source.slice(c)) + "\n";
    auto name = t.child(c, "name");
    if (n.type == "extern_crate_declaration" && t.child(c, "alias") != kNoNode) {
      name = t.child(c, "alias");
    }
    if (name != kNoNode && n.type != "impl_item") {
      m.items.emplace(m.source.slice(name), RustItem{c, visibility_of(m.source, c)});
    }
  }
  const auto written = m.uses;
  for (std::size_t i = 0; i < written.size(); ++i) m.uses[i].path = absolute(m, written[i].path);
}

bool visible(const Snapshot& snapshot, const RustModule& from, const std::string& path,
             const std::string& module, bool as_module) {
  const auto home = rust_parent(path);
  if (home.empty() || rust_within(module, home)) return true;  // the crate, what stands around
  if (!visible(snapshot, from, home, module, true)) return false;
  const auto name = path.substr(home.size() + 2);
  const auto reaches = [&](const std::string& visibility) {
    return rust_within(module, rust_reach(visibility, home));
  };
  const auto says = [&](const RustModule& m) {
    const auto [first, last] = m.items.equal_range(name);
    // A function may have the name of a module beside it, and a use the name of either.
    bool there = false;
    for (auto i = first; i != last; ++i) {
      if (((*m.source.tree)[i->second.node].type == "mod_item") != as_module) continue;
      if (reaches(i->second.visibility)) return true;
      there = true;
    }
    const auto* use = m.use_of(name);
    return !there && use != nullptr && reaches(use->visibility);
  };
  if (home == from.path) return says(from);
  const auto place = place_of(from.source.path);
  if (!place) return false;
  std::vector<std::string> words;
  for (std::size_t at = 7; at <= home.size();) {  // behind "crate::"
    const auto end = std::min(home.find("::", at), home.size());
    words.push_back(home.substr(at, end - at));
    at = end + 2;
  }
  std::vector<std::string> files;
  if (words.empty()) {
    files = {place->folder + "lib.rs", place->folder + "main.rs"};
  } else if (const auto file = file_of(snapshot, place->folder, words)) {
    files = {*file};
  }
  for (const auto& f : files) {
    if (!snapshot.file(f)) continue;
    const auto m = load_rust_module(snapshot, f);
    if (m && says(*m)) return true;
  }
  return false;
}

}  // namespace

std::string rust_parent(std::string_view module) {
  const auto at = module.rfind("::");
  return at == std::string_view::npos ? "" : std::string(module.substr(0, at));
}

bool rust_within(std::string_view module, std::string_view outer) {
  return module == outer ||
         (module.starts_with(outer) && module.substr(outer.size()).starts_with("::"));
}

const RustUse* RustModule::use_of(std::string_view name) const {
  const auto it =
      std::find_if(uses.begin(), uses.end(), [&](const RustUse& u) { return u.name == name; });
  return it == uses.end() ? nullptr : &*it;
}

Result<RustModule> load_rust_module(const Snapshot& snapshot, const std::string& path) {
  AMBIT_TRY(place, place_of(path));
  AMBIT_CHECK_OK(check_edition(snapshot, place.folder));
  RustModule out;
  AMBIT_TRY(source, load_source(snapshot, path));
  out.source = std::move(source);
  out.path = "crate";
  out.root = path;
  if (out.source.tree->holds_error(0)) return no(path + " does not parse");
  if (!place.root) {
    std::vector<std::string> roots;
    for (const auto* name : {"lib.rs", "main.rs"}) {
      if (!snapshot.file(place.folder + name)) continue;
      AMBIT_TRY(root, load_source(snapshot, place.folder + name));
      const auto found = check_mod_line(root, place.words[0]);
      if (found) roots.emplace_back(name);
      if (!found && found.error().code != Code::kNotFound) return found.error();
    }
    if (roots.size() != 1) {
      return no(path + (roots.empty() ? " is no module of src/lib.rs or src/main.rs"
                                      : " is a module of two crates"));
    }
    out.root = place.folder + roots[0];
    for (std::size_t i = 1; i < place.words.size(); ++i) {
      const auto parent =
          file_of(snapshot, place.folder,
                  {place.words.begin(), place.words.begin() + static_cast<std::ptrdiff_t>(i)});
      if (!parent) return no(path + " is no module of src/lib.rs or src/main.rs");
      AMBIT_TRY(file, load_source(snapshot, *parent));
      AMBIT_CHECK_OK(check_mod_line(file, place.words[i]));
    }
    for (const auto& w : place.words) out.path += "::" + w;
  }
  read_top(out);
  return out;
}

std::string rust_reach(std::string_view visibility, const std::string& module) {
  if (visibility == "pub" || visibility == "pub(crate)") return "crate";
  if (visibility == "pub(super)") return rust_parent(module);
  return module;
}

bool rust_visible(const Snapshot& snapshot, const RustModule& from, const std::string& path,
                  const std::string& module) {
  return visible(snapshot, from, path, module, false) ||
         rust_module_visible(snapshot, from, path, module);
}

bool rust_module_visible(const Snapshot& snapshot, const RustModule& from, const std::string& path,
                         const std::string& module) {
  return visible(snapshot, from, path, module, true);
}

void add_rust_uses(const RustModule& m, const std::set<std::string>& lines, FileEdits& edits) {
  if (lines.empty()) return;
  const auto& f = m.source;
  std::optional<std::uint32_t> use;
  std::uint32_t head = 0;
  bool begun = false;
  for (const auto c : f.tree->children(0)) {
    const auto& n = (*f.tree)[c];
    const auto words = f.slice(c);
    if (n.type == "use_declaration") use = n.span.end;
    begun = begun || (n.type != "inner_attribute_item" && n.type != "extern_crate_declaration" &&
                      !words.starts_with("//!") && !words.starts_with("/*!"));
    if (!begun) head = n.span.end;
  }
  const auto& text = f.text;
  auto at = use.value_or(head);
  if (at > 0 && text[at - 1] != '\n') {
    at = static_cast<std::uint32_t>(std::min(text.find('\n', at), text.size() - 1) + 1);
  }
  const auto end = std::string(line_end_of(text));
  std::string out;
  for (const auto& line : lines) out += line + ";" + end;
  if (!use) out = (at > 0 ? end : "") + out + (text.substr(at).starts_with("\n") ? "" : end);
  edits.edit(f, {at, at}, out);
}

}  // namespace ambit::daemon
