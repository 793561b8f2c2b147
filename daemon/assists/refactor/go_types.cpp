#include "daemon/assists/refactor/go_types.h"

#include <algorithm>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::kNoNode;

namespace {

using Names = std::set<std::string_view>;

// "[]a.B" -> "[]B": a package has another name elsewhere, and none at home. "?" for what is one of
// these type parameters.
std::string plain_type(std::string_view words, const Names& open) {
  if (words.find("func") != std::string_view::npos) return "func";  // its parameters may have names
  std::string out, word;
  const auto end_word = [&] {
    if (word == "uint8") word = "byte";
    if (word == "int32") word = "rune";
    if (open.contains(word)) word = "?";
    out += word;
    word.clear();
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    const char c = words[i];
    if (word_byte(c)) {
      word += c;
    } else if (c == '.' && !word.empty()) {
      word.clear();  // the package
    } else {
      end_word();
      if (c != ' ' && c != '\t' && c != '\n' && c != '\r') out += c;
    }
  }
  end_word();
  for (const std::string_view any = "interface{}";;) {
    const auto at = out.find(any);
    if (at == std::string::npos) return out;
    out.replace(at, any.size(), "any");
  }
}

// "int,[]byte" of a list, one for each name.
std::string types_of_list(const GoFile& f, std::uint32_t list, const Names& open) {
  const auto& t = f.tree();
  std::string out;
  for (const auto c : t.children(list)) {
    if (!t[c].type.ends_with("parameter_declaration")) continue;
    const auto type = t.child(c, "type");
    if (type == kNoNode) continue;
    std::size_t names = 0;
    for (const auto n : t.children(c)) names += t[n].field == "name" && t[n].named ? 1 : 0;
    const auto words =
        (t[c].type.starts_with("variadic") ? "..." : "") + plain_type(f.source.slice(type), open);
    for (std::size_t i = 0; i < std::max<std::size_t>(names, 1); ++i) {
      out += (out.empty() ? "" : ",") + words;
    }
  }
  return out;
}

std::string signature_of(const GoFile& f, std::uint32_t method, const Names& open) {
  const auto& t = f.tree();
  const auto list = t.child(method, "parameters"), result = t.child(method, "result");
  auto out = "(" + (list == kNoNode ? "" : types_of_list(f, list, open)) + ")";
  if (result == kNoNode) return out;
  return out + (t[result].type == "parameter_list" ? types_of_list(f, result, open)
                                                   : plain_type(f.source.slice(result), open));
}

GoMethod method_of(const GoFile& f, std::uint32_t node, const Names& open) {
  return {signature_of(f, node, open), f.source.path, f.tree()[f.tree().child(node, "name")].span};
}

// The names below a node of these types: of T[P, Q], or of [P any, Q int].
Names type_parameters(const GoFile& f, std::uint32_t node) {
  const auto& t = f.tree();
  Names out;
  for (auto i = node; i < t[node].after; ++i) {
    const auto above = t[i].parent;
    const bool argument = t[i].type == "type_identifier" && t[above].type == "type_elem" &&
                          t[t[above].parent].type == "type_arguments";
    const bool declared = t[i].field == "name" && t[above].type == "type_parameter_declaration";
    if (argument || declared) out.insert(f.source.slice(i));
  }
  return out;
}

// The name of T, *T, T[P] and p.T: "T", or "a/b.T" by its import path.
std::string named_type(const GoFile& f, std::uint32_t node) {
  const auto& t = f.tree();
  for (;;) {
    const auto& type = t[node].type;
    if (type == "type_identifier") return std::string(f.source.slice(node));
    if (type == "qualified_type") {
      const auto package = f.source.slice(t.child(node, "package"));
      for (const auto& i : f.imports) {
        if (i.name == package)
          return i.path + "." + std::string(f.source.slice(t.child(node, "name")));
      }
      return {};
    }
    auto next = kNoNode;
    if (type == "generic_type") next = t.child(node, "type");
    if (type == "pointer_type" || type == "type_elem") {
      for (const auto c : t.children(node)) {
        if (t[c].named && next != kNoNode) return {};  // a choice of types
        if (t[c].named) next = c;
      }
    }
    if (next == kNoNode) return {};
    node = next;
  }
}

std::string package_key(const GoFile& f) {
  return std::string(folder_of(f.source.path)) + "\n" + f.package;
}

}  // namespace

void GoTypes::read_package_of(const std::string& path) {
  const auto folder = std::string(folder_of(path));
  if (!folders_.insert(folder).second) return;
  for (const auto& f : snapshot_.files()) {
    if (f.language == indexer::Language::kGo && folder_of(f.path) == folder) read_file(f.path);
  }
}

void GoTypes::read_file(const std::string& path) {
  const auto file = GoFile::load(snapshot_, path);
  if (!file) return;  // does not parse: what it declares is not known
  const auto& t = file->tree();
  for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
    const auto& type = t[i].type;
    if (type == "method_declaration") read_method(*file, i);
    if (type == "type_spec") {
      auto& named = type_named(*file, std::string(file->source.slice(t.child(i, "name"))));
      named.path = path;
      named.line = file->source.line_of(t[i].span.begin);
      const auto inner = t.child(i, "type");
      if (inner != kNoNode && t[inner].type == "struct_type") read_struct(*file, inner, named);
    }
    if (type == "interface_type") {
      const auto above = t[i].parent;
      auto& into = t[above].type == "type_spec"
                       ? type_named(*file, std::string(file->source.slice(t.child(above, "name"))))
                       : add_type(*file, "interface");
      into.line = file->source.line_of(t[i].span.begin);
      read_interface(*file, i, into);
    }
    if (type == "var_spec") read_assertion(*file, i);
  }
}

GoType& GoTypes::add_type(const GoFile& file, const std::string& name) {
  auto& type = types_.emplace_back();
  type.name = name;
  type.path = file.source.path;
  type.package = package_key(file);
  return type;
}

GoType& GoTypes::type_named(const GoFile& file, const std::string& name) {
  auto& at = packages_[package_key(file)][name];
  if (at == nullptr) at = &add_type(file, name);
  return *at;
}

void GoTypes::read_method(const GoFile& file, std::uint32_t node) {
  const auto& t = file.tree();
  for (const auto c : t.children(t.child(node, "receiver"))) {
    const auto type = t.child(c, "type");
    if (type == kNoNode) continue;
    const auto name = named_type(file, type);
    if (name.empty()) return;
    const auto method = method_of(file, node, type_parameters(file, type));
    type_named(file, name).own.emplace(file.source.slice(method.name), method);
  }
}

void GoTypes::read_struct(const GoFile& file, std::uint32_t node, GoType& type) {
  const auto& t = file.tree();
  for (auto i = node + 1; i < t[node].after;
       i = t[i].type == "field_declaration" ? t[i].after : i + 1) {
    if (t[i].type != "field_declaration" || t.child(i, "name") != kNoNode) continue;
    if (auto name = named_type(file, t.child(i, "type")); !name.empty()) {
      type.embedded.push_back(std::move(name));
    }
  }
}

void GoTypes::read_interface(const GoFile& file, std::uint32_t node, GoType& type) {
  const auto& t = file.tree();
  type.interface = true;
  const auto above = t[node].parent;
  const auto list = t[above].type == "type_spec" ? t.child(above, "type_parameters") : kNoNode;
  const auto open = list == kNoNode ? Names() : type_parameters(file, list);
  for (const auto c : t.children(node)) {
    if (t[c].type == "method_elem") {
      const auto method = method_of(file, c, open);
      type.own.emplace(file.source.slice(method.name), method);
    } else if (t[c].type == "type_elem") {
      if (auto name = named_type(file, c); !name.empty()) type.embedded.push_back(std::move(name));
    }
  }
}

void GoTypes::read_assertion(const GoFile& file, std::uint32_t node) {
  const auto& t = file.tree();
  const auto name = t.child(node, "name"), type = t.child(node, "type");
  const auto value = t.child(node, "value");
  if (name == kNoNode || type == kNoNode || value == kNoNode || file.source.slice(name) != "_")
    return;
  auto interface = named_type(file, type);
  if (interface.find('.') == std::string::npos) return;  // of this package
  assertions_.push_back({std::move(interface), std::string(file.source.slice(value)),
                         file.source.path, file.source.line_of(t[node].span.begin)});
}

const GoType* GoTypes::find(const std::string& qualified) {
  if (folder_of_import_.empty()) {
    std::set<std::string> seen;
    for (const auto& f : snapshot_.files()) {
      const auto folder = std::string(folder_of(f.path));
      if (f.language != indexer::Language::kGo || !seen.insert(folder).second) continue;
      if (const auto path = go_import_path(snapshot_, folder)) folder_of_import_[*path] = folder;
    }
    folder_of_import_.emplace("", "");
  }
  const auto dot = qualified.rfind('.');
  if (dot == std::string::npos) return nullptr;
  const auto folder = folder_of_import_.find(qualified.substr(0, dot));
  if (folder == folder_of_import_.end() || folder->first.empty()) return nullptr;
  read_package_of(folder->second.empty() ? "x.go" : folder->second + "/x.go");
  for (const auto& [key, names] : packages_) {
    if (!key.starts_with(folder->second + "\n") || key.ends_with("_test")) continue;
    const auto found = names.find(qualified.substr(dot + 1));
    if (found != names.end()) return found->second;
  }
  return nullptr;
}

const GoType* GoTypes::find_embedded(const GoType& type, const std::string& name) {
  if (name.find('.') != std::string::npos) return find(name);
  const auto& names = packages_[type.package];
  const auto found = names.find(name);
  return found == names.end() ? nullptr : found->second;
}

void GoTypes::collect(const GoType& type, MethodSet& out, std::set<const GoType*>& seen) {
  if (!seen.insert(&type).second) return;
  MethodSet deeper;
  for (const auto& name : type.embedded) {
    if (const auto* inner = find_embedded(type, name)) {
      collect(*inner, deeper, seen);
      continue;
    }
    // "net/http.Handler" is known as http.Handler.
    for (const auto& [method, signature] : known_go_methods(base_of(name))) {
      deeper[method].push_back({signature, "", {}});
    }
  }
  for (const auto& [name, method] : type.own) {
    if (!type.interface) deeper.erase(name);  // hides what is embedded
    out[name].push_back(method);
  }
  for (auto& [name, methods] : deeper) {
    out[name].insert(out[name].end(), methods.begin(), methods.end());
  }
}

GoTypes::MethodSet GoTypes::methods_of(const GoType& type) {
  MethodSet out;
  std::set<const GoType*> seen;
  collect(type, out, seen);
  return out;
}

}  // namespace ambit::daemon
