#include "daemon/assists/refactor/java_file.h"

#include <algorithm>
#include <map>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Snapshot;

std::string JavaImport::name() const {
  return star ? "" : path.substr(path.rfind('.') + 1);
}

Result<JavaFile> JavaFile::load(const Snapshot& snapshot, const std::string& path) {
  JavaFile out;
  AMBIT_TRY(source, load_source(snapshot, path));
  out.source = std::move(source);
  const auto& t = out.tree();
  if (t.holds_error(0)) return no(path + " does not parse");
  for (const auto c : t.children(0)) {
    if (out.is_type(c)) out.types.push_back(c);
    if (t[c].type == "package_declaration") {
      out.package_node = c;
      out.package = java_package_of(out.slice(c));
    }
    if (t[c].type != "import_declaration") continue;
    JavaImport import;
    import.node = c;
    for (const auto part : t.children(c)) {
      if (t[part].type == "static") import.is_static = true;
      if (t[part].type == "asterisk") import.star = true;
      if (t[part].type == "scoped_identifier" || t[part].type == "identifier") {
        import.path = out.slice(part);
        std::erase_if(import.path, [](char ch) { return ch == ' ' || ch == '\n'; });
      }
    }
    out.imports.push_back(std::move(import));
  }
  return out;
}

bool JavaFile::is_type(std::uint32_t node) const {
  const auto& type = tree()[node].type;
  return type == "class_declaration" || type == "interface_declaration" ||
         type == "enum_declaration" || type == "record_declaration" ||
         type == "annotation_type_declaration";
}

std::string JavaFile::name_of(std::uint32_t node) const {
  const auto name = tree().child(node, "name");
  return name == kNoNode ? "" : std::string(slice(name));
}

bool JavaFile::says(std::uint32_t node, std::string_view modifier) const {
  const auto& t = tree();
  for (const auto c : t.children(node)) {
    if (t[c].type != "modifiers") continue;
    for (const auto m : t.children(c)) {
      if (t[m].type == modifier) return true;
    }
  }
  return false;
}

JavaAccess JavaFile::access_of(std::uint32_t node) const {
  if (says(node, "public")) return JavaAccess::kPublic;
  if (says(node, "protected")) return JavaAccess::kProtected;
  if (says(node, "private")) return JavaAccess::kPrivate;
  const auto parent = tree()[node].parent;
  const auto& type = tree()[node].type;
  if (parent == kNoNode) return JavaAccess::kPackage;
  const auto& around = tree()[parent].type;
  if (around == "interface_body" || around == "annotation_type_body" || type == "enum_constant") {
    return JavaAccess::kPublic;
  }
  if (type == "constructor_declaration" && around == "enum_body_declarations") {
    return JavaAccess::kPrivate;
  }
  return JavaAccess::kPackage;
}

std::vector<JavaMember> JavaFile::members_of(std::uint32_t type) const {
  const auto& t = tree();
  std::vector<JavaMember> out;
  for (auto i = type + 1; i < t[type].after; ++i) {
    const auto& kind = t[i].type;
    JavaMember m;
    m.node = i;
    m.constructor = kind == "constructor_declaration" || kind == "compact_constructor_declaration";
    const bool named = m.constructor || kind == "method_declaration" || kind == "enum_constant" ||
                       kind == "annotation_type_element_declaration" || is_type(i);
    const bool fields = kind == "field_declaration" || kind == "constant_declaration";
    if (!named && !fields) continue;
    m.access = access_of(i);
    m.is_static = says(i, "static") || kind == "constant_declaration" || kind == "enum_constant";
    if (named) {
      m.name = name_of(i);
      out.push_back(m);
      continue;
    }
    for (const auto c : t.children(i)) {
      if (t[c].type != "variable_declarator") continue;
      m.name = name_of(c);
      out.push_back(m);
    }
  }
  return out;
}

std::vector<std::string> JavaFile::parents_of(std::uint32_t type) const {
  const auto& t = tree();
  std::vector<std::string> out;
  for (const auto c : t.children(type)) {
    const auto& kind = t[c].type;
    if (kind != "superclass" && kind != "super_interfaces" && kind != "extends_interfaces")
      continue;
    int depth = 0;  // of type arguments
    for (auto i = c + 1; i < t[c].after; ++i) {
      if (t[i].type == "<") ++depth;
      if (t[i].type == ">") --depth;
      if (depth == 0 && t[i].type == "type_identifier") out.emplace_back(slice(i));
    }
  }
  return out;
}

const JavaImport* JavaFile::import_of(std::string_view name) const {
  for (const auto& i : imports) {
    if (!i.is_static && !i.star && i.name() == name) return &i;
  }
  return nullptr;
}

bool JavaFile::means(const std::string& of_package, const std::string& name) const {
  if (const auto* i = import_of(name)) return i->path == of_package + "." + name;
  if (package == of_package) return true;
  return std::any_of(imports.begin(), imports.end(), [&](const JavaImport& i) {
    return i.star && !i.is_static && i.path == of_package;
  });
}

bool JavaFile::declares(std::string_view name, ByteSpan in) const {
  const auto& t = tree();
  for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
    if (!inside(t[i].span, in)) continue;
    if (t[i].type == "type_parameter") {
      for (const auto c : t.children(i)) {
        if (t[c].type == "type_identifier" && slice(c) == name) return true;
      }
    } else if (is_type(i) && t[i].parent != 0 && name_of(i) == name) {
      return true;
    }
  }
  return std::any_of(source.facts.locals.begin(), source.facts.locals.end(), [&](const auto& l) {
    return inside(l.name, in) && source.slice(l.name) == name;
  });
}

bool JavaFile::is_simple_name(std::uint32_t node) const {
  const auto& n = tree()[node];
  if (n.type != "identifier" && n.type != "type_identifier") return false;
  auto at = n.span.begin;
  while (at > 0 && (source.text[at - 1] == ' ' || source.text[at - 1] == '\n')) --at;
  const auto before = std::string_view(source.text).substr(0, at);
  return !before.ends_with("::") && (!before.ends_with('.') || before.ends_with("..."));
}

bool JavaFile::is_comment(std::uint32_t node) const {
  return tree()[node].type.find("comment") != std::string_view::npos;
}

std::string java_package_of(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto rest = text.substr(at);
    if (rest.starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
    } else if (rest.starts_with("/*")) {
      const auto end = text.find("*/", at + 2);
      at = end == std::string_view::npos ? text.size() : end + 2;
    } else if (rest.starts_with("package") && rest.size() > 7 && !word_byte(rest[7])) {
      std::string out(rest.substr(7, std::min(rest.find(';'), rest.size()) - 7));
      std::erase_if(out, [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
      return out;
    } else if (rest[0] == '@') {  // of package-info.java
      at = std::min(text.find('\n', at), text.size());
    } else if (std::string_view(" \t\r\n\f\xEF\xBB\xBF").find(rest[0]) != std::string_view::npos) {
      ++at;
    } else {
      return "";
    }
  }
  return "";
}

void add_java_imports(const JavaFile& file, const std::set<std::string>& lines, FileEdits& edits) {
  const auto& t = file.tree();
  const auto& text = file.source.text;
  const auto end = std::string(line_end_of(text));
  const auto behind_line = [&](std::uint32_t node) {
    const auto at = text.find('\n', t[node].span.end);
    return static_cast<std::uint32_t>(at == std::string::npos ? text.size() : at + 1);
  };
  std::map<std::uint32_t, std::string> places;
  for (const auto& line : lines) {
    const bool is_static = line.starts_with("import static ");
    const JavaImport* behind = nullptr;
    const JavaImport* before = nullptr;
    bool there = false;
    for (const auto& i : file.imports) {
      const auto words = file.slice(i.node);
      there = there || words == line;
      if (i.is_static != is_static) continue;
      if (words < line) behind = &i;
      if (words > line && before == nullptr) before = &i;
    }
    if (there) continue;
    if (behind != nullptr) {
      places[behind_line(behind->node)] += line + end;
    } else if (before != nullptr) {
      places[t[before->node].span.begin] += line + end;
    } else if (!file.imports.empty()) {
      places[behind_line(file.imports.back().node)] += line + end;
    } else {
      const auto at = file.package_node == kNoNode ? 0 : behind_line(file.package_node);
      auto& words = places[at];
      if (words.empty() && at > 0) words = end;
      words += line + end;
      if (at == 0) words += end;
    }
  }
  for (const auto& [at, words] : places) edits.edit(file.source, {at, at}, words);
}

}  // namespace ambit::daemon
