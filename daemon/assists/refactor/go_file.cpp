#include "daemon/assists/refactor/go_file.h"

#include <algorithm>
#include <map>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Snapshot;

namespace {

// The names that an import without a written one may have: "a/go-b.v2" -> "b", "a/b/v2" -> "b".
std::set<std::string> names_of_path(std::string path) {
  const auto version = [](std::string_view s) {
    return s.size() > 1 && s[0] == 'v' &&
           s.find_first_not_of("0123456789", 1) == std::string_view::npos;
  };
  std::string base(base_of(path));
  if (version(base) && path.size() > base.size()) {
    path.resize(path.size() - base.size() - 1);
    base = base_of(path);
  }
  std::set<std::string> out{base};
  if (const auto dot = base.rfind('.'); dot != std::string::npos) {
    if (version(base.substr(dot + 1)) || base.substr(dot + 1) == "go")
      out.insert(base = base.substr(0, dot));
  }
  for (const std::string_view affix : {"go-", "-go", "go."}) {
    if (base.starts_with(affix)) out.insert(base.substr(affix.size()));
    if (base.ends_with(affix)) out.insert(base.substr(0, base.size() - affix.size()));
  }
  return out;
}

// Packages of Go's own library have no dot in the first part of their path.
bool is_own(std::string_view path) {
  return path.substr(0, path.find('/')).find('.') == std::string_view::npos;
}
std::string words_of(const GoImport& i) {
  return (i.named ? i.name + " " : std::string()) + '"' + i.path + '"';
}

// With the empty line that set a group of imports apart of which nothing is left.
ByteSpan with_group_gap(std::string_view text, ByteSpan run) {
  const auto before = text.substr(0, run.begin);
  const auto behind = text.substr(run.end);
  if (before.ends_with("\n\n") && (behind.starts_with('\n') || behind.starts_with(')'))) {
    --run.begin;
  } else if (before.ends_with("(\n") && behind.starts_with('\n')) {
    ++run.end;
  }
  return run;
}

}  // namespace

std::optional<std::string> go_import_path(const Snapshot& snapshot, const std::string& folder) {
  for (auto at = folder;;) {
    const auto text = snapshot.text(at.empty() ? "go.mod" : at + "/go.mod");
    if (text) {
      for (std::size_t line = 0; line < text->size();) {
        const auto end = std::min(text->find('\n', line), text->size());
        auto words = text->substr(line, end - line);
        line = end + 1;
        if (!words.starts_with("module ")) continue;
        words = words.substr(
            7, words.find("//") == std::string::npos ? std::string::npos : words.find("//") - 7);
        std::erase_if(words, [](char c) { return c == ' ' || c == '"' || c == '\r' || c == '\t'; });
        const auto below =
            at.empty() ? folder : folder.substr(std::min(folder.size(), at.size() + 1));
        return below.empty() ? words : words + "/" + below;
      }
      return std::nullopt;
    }
    if (at.empty()) return std::nullopt;
    at = folder_of(at);
  }
}

const std::set<std::string>& GoImportGraph::imports_of(const std::string& path) {
  if (files_.empty()) {
    std::map<std::string, std::string> paths;  // of a folder
    for (const auto& f : snapshot_.files()) {
      if (!f.path.ends_with(".go")) continue;
      const auto folder = std::string(folder_of(f.path));
      auto it = paths.find(folder);
      if (it == paths.end()) {
        it = paths.emplace(folder, go_import_path(snapshot_, folder).value_or("?")).first;
      }
      files_[it->second].push_back(f.path);
    }
  }
  const auto [it, fresh] = imports_.try_emplace(path);
  if (!fresh) return it->second;
  for (const auto& file : files_[path]) {
    const auto facts = load_facts(snapshot_, file);
    if (!facts) continue;
    for (const auto& i : facts->facts.imports) {
      const auto words = facts->slice(i.module);
      if (words.size() > 2) it->second.emplace(words.substr(1, words.size() - 2));
    }
  }
  return it->second;
}

bool GoImportGraph::reaches(const std::string& from, const std::string& to) {
  std::set<std::string> seen{from};
  std::vector<std::string> open{from};
  while (!open.empty()) {
    const auto path = open.back();
    open.pop_back();
    if (path == to) return true;
    for (const auto& next : imports_of(path)) {
      if (seen.insert(next).second) open.push_back(next);
    }
  }
  return false;
}

std::set<std::string> go_name_conditions(std::string_view path) {
  static const std::set<std::string_view> kKnown{
      "test",     "aix",   "android", "darwin",  "dragonfly", "freebsd", "illumos", "ios",
      "js",       "linux", "netbsd",  "openbsd", "plan9",     "solaris", "wasip1",  "windows",
      "386",      "amd64", "arm",     "arm64",   "loong64",   "mips",    "mipsle",  "mips64",
      "mips64le", "ppc64", "ppc64le", "riscv64", "s390x",     "wasm",    "zos",     "hurd"};
  std::set<std::string> out;
  std::string rest(stem_of(path));
  for (int i = 0; i < 3; ++i) {
    const auto at = rest.rfind('_');
    if (at == std::string::npos || at == 0 || !kKnown.contains(rest.substr(at + 1))) break;
    out.insert(rest.substr(at + 1));
    rest.resize(at);
  }
  return out;
}

Result<GoFile> GoFile::load(const Snapshot& snapshot, const std::string& path) {
  GoFile out;
  AMBIT_TRY(source, load_source(snapshot, path));
  out.source = std::move(source);
  if (out.tree().holds_error(0)) return no(path + " does not parse");
  out.read();
  return out;
}

std::string GoFile::constraints() const {
  std::string out;
  for (std::size_t at = 0; at < package_at;) {
    const auto end = std::min(source.text.find('\n', at), source.text.size());
    const auto line = source.text.substr(at, end - at);
    if (line.starts_with("//go:build") || line.starts_with("// +build")) out += line + "\n";
    at = end + 1;
  }
  return out;
}

bool GoFile::is_variable(std::string_view name, ByteSpan at) const {
  return std::any_of(source.facts.locals.begin(), source.facts.locals.end(),
                     [&](const indexer::Local& l) {
                       return source.slice(l.name) == name && inside(at, l.within);
                     });
}

std::optional<bool> GoFile::says(const std::string& name, ByteSpan in, bool outside) const {
  bool said = false;
  for (const auto& [word, span] : qualifiers) {
    if (word != name || inside(span, in) == outside) continue;
    if (is_variable(name, span)) return std::nullopt;
    said = true;
  }
  return said;
}

bool GoFile::is_key(std::uint32_t node) const {
  const auto& t = tree();
  const auto above = t[node].parent;
  return t[above].type == "literal_element" && t[t[above].parent].type == "keyed_element" &&
         t.children(t[above].parent).front() == above;
}

bool GoFile::is_plain(std::uint32_t node) const {
  const auto& n = tree()[node];
  if (n.type != "identifier" && n.type != "type_identifier") return false;
  const auto before = std::string_view(source.text).substr(0, n.span.begin);
  return !before.ends_with('.') || before.ends_with("...");
}

void GoFile::read() {
  const auto& t = tree();
  std::set<std::string> words;
  for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
    const auto& n = t[i];
    if (n.type == "package_clause") {
      package_at = n.span.begin;
      package_end = n.span.end;
      package = std::string(source.slice(i + 2));  // behind "package"
    }
    const bool operand =
        n.type == "identifier" && n.field == "operand" && t[n.parent].type == "selector_expression";
    if (operand || n.type == "package_identifier") {
      if (t[n.parent].type == "package_clause" || t[n.parent].type == "import_spec") continue;
      qualifiers.emplace_back(source.slice(i), n.span);
      words.insert(qualifiers.back().first);
    }
  }
  for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
    if (t[i].type != "import_spec") continue;
    GoImport import;
    import.node = i;
    const auto path = source.slice(t.child(i, "path"));
    import.path = path.substr(1, path.size() - 2);
    if (const auto name = t.child(i, "name"); name != kNoNode) {
      import.name = source.slice(name);
      import.named = true;
    } else {
      for (const auto& candidate : names_of_path(import.path)) {
        if (!words.contains(candidate)) continue;
        // Two that fit, and neither is told from the other.
        import.name = import.name.empty() ? candidate : "";
        if (import.name.empty()) break;
      }
    }
    imports.push_back(std::move(import));
  }
}

void drop_go_imports(const GoFile& file, const std::vector<const GoImport*>& dropped,
                     FileEdits& edits) {
  const auto& t = file.tree();
  const auto& text = file.source.text;
  const auto drop = [&](const GoImport* i) {
    return std::find(dropped.begin(), dropped.end(), i) != dropped.end();
  };
  std::set<ByteSpan> lines, whole;  // single imports; declarations of which nothing is left
  for (const auto* i : dropped) {
    auto declaration = i->node;
    while (t[declaration].type != "import_declaration") declaration = t[declaration].parent;
    const bool all = std::all_of(file.imports.begin(), file.imports.end(), [&](const auto& o) {
      return drop(&o) || o.node < declaration || o.node >= t[declaration].after;
    });
    auto span = t[all ? declaration : i->node].span;
    while (span.begin > 0 && text[span.begin - 1] != '\n') --span.begin;
    span.end = static_cast<std::uint32_t>(std::min(text.find('\n', span.end), text.size() - 1) + 1);
    (all ? whole : lines).insert(span);
  }
  for (const auto span : whole) edits.edit(file.source, with_gap(file.source, span), "");
  for (auto it = lines.begin(); it != lines.end();) {
    auto run = *it;
    for (++it; it != lines.end() && it->begin == run.end; ++it) run.end = it->end;
    edits.edit(file.source, with_group_gap(text, run), "");
  }
}

void replace_go_import(const GoFile& file, const GoImport& old, const GoImport& import,
                       FileEdits& edits) {
  const auto& t = file.tree();
  const bool there = std::any_of(file.imports.begin(), file.imports.end(),
                                 [&](const GoImport& i) { return i.path == import.path; });
  const auto block = t[old.node].parent;
  const auto alone = [&] {
    std::size_t n = 0;
    for (const auto& i : file.imports) n += t[i.node].parent == block ? 1 : 0;
    return n == 1;
  }();
  if (!there && alone) {
    edits.edit(file.source, t[old.node].span, words_of(import));
    return;
  }
  drop_go_imports(file, {&old}, edits);
  add_go_imports(file, {import}, edits);
}

void add_go_imports(const GoFile& file, const std::vector<GoImport>& imports, FileEdits& edits) {
  const auto& t = file.tree();
  const auto& text = file.source.text;
  const auto end = std::string(line_end_of(text));
  std::map<std::uint32_t, std::string> lines;  // by their place
  std::string declarations;                    // where there is no block for them
  for (const auto& import : imports) {
    const GoImport* behind = nullptr;
    const GoImport* before = nullptr;
    bool there = false;
    for (const auto& other : file.imports) {
      there = there || (other.path == import.path && other.name == import.name);
      if (t[t[other.node].parent].type != "import_spec_list") continue;
      if (is_own(other.path) != is_own(import.path)) continue;
      if (other.path < import.path) {
        behind = &other;
      } else if (before == nullptr) {
        before = &other;
      }
    }
    if (there) continue;
    if (behind == nullptr && before == nullptr) {
      declarations += "\nimport " + words_of(import);
      continue;
    }
    auto at = behind != nullptr ? t[behind->node].span.end : t[before->node].span.begin;
    if (behind != nullptr) {
      at = static_cast<std::uint32_t>(std::min(text.find('\n', at) + 1, text.size()));
    } else {
      while (at > 0 && text[at - 1] != '\n') --at;
    }
    lines[at] += "\t" + words_of(import) + end;
  }
  if (!declarations.empty()) {
    // Behind the imports that are there, else behind the package.
    auto at = file.package_end;
    for (const auto c : t.children(0)) {
      if (t[c].type == "import_declaration") at = t[c].span.end;
    }
    const auto* gap = at == file.package_end ? "\n" : "";
    edits.edit(file.source, {at, at}, with_line_ends(gap + declarations, end));
  }
  for (const auto& [at, words] : lines) edits.edit(file.source, {at, at}, words);
}

std::string go_import_block(const std::vector<GoImport>& imports) {
  if (imports.empty()) return "";
  if (imports.size() == 1) return "import " + words_of(imports[0]) + "\n\n";
  std::string own, other;
  for (const auto& i : imports) (is_own(i.path) ? own : other) += "\t" + words_of(i) + "\n";
  const auto* gap = own.empty() || other.empty() ? "" : "\n";
  return "import (\n" + own + gap + other + ")\n\n";
}

}  // namespace ambit::daemon
