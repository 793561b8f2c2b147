#include "daemon/assists/refactor/module_imports.h"

#include <algorithm>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;
using indexer::SymbolKind;

namespace {

// X of "import X from 'm'" and "import type X, { y } from 'm'".
std::string_view default_of(std::string_view words) {
  const auto word = [&]() {
    words.remove_prefix(std::min(words.find_first_not_of(" \t\r\n"), words.size()));
    std::size_t end = 0;
    while (end < words.size() && word_byte(words[end])) ++end;
    const auto out = words.substr(0, end);
    words.remove_prefix(end);
    return out;
  };
  if (word() != "import") return {};
  auto name = word();
  if (name == "type") {
    const auto rest = words;
    const auto next = word();
    if (next != "from" || words.find("from") != std::string_view::npos)
      name = next;
    else
      words = rest;
  }
  words.remove_prefix(std::min(words.find_first_not_of(" \t\r\n"), words.size()));
  return words.starts_with(',') || words.starts_with("from") ? name : std::string_view();
}

}  // namespace

Bound bound_by(const SourceFile& f, const indexer::Import& import) {
  Bound out;
  out.import = &import;
  const auto words = f.slice(import.statement);
  out.everything = words.find('*') != std::string_view::npos;
  // Python's "import a.b" binds a.
  if (words.starts_with("import ") && indexer::language_of(f.path) == Language::kPython &&
      words.find(" as ") == std::string_view::npos) {
    const auto module = f.slice(import.module);
    out.names[std::string(module.substr(0, module.find('.')))] = "";
    return out;
  }
  std::vector<std::pair<std::string, ByteSpan>> list;
  for (const auto& m : f.facts.mentions) {
    if (m.kind != indexer::ReferenceKind::kImport || !inside(m.span, import.statement)) continue;
    if (inside(m.span, import.module)) continue;
    list.emplace_back(f.slice(m.span), m.span);
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto local = list[i].first;
    if (i + 1 < list.size()) {
      const auto between = std::string_view(f.text).substr(
          list[i].second.end, list[i + 1].second.begin - list[i].second.end);
      if (between.find(" as ") != std::string_view::npos &&
          between.find(',') == std::string_view::npos) {
        out.names[list[i + 1].first] = local;
        ++i;
        continue;
      }
    }
    out.names[local] = local;
  }
  if (const auto local = default_of(words);
      !local.empty() && script_family(indexer::language_of(f.path))) {
    out.names[std::string(local)] = "default";
  }
  return out;
}

ImportPlace place_of(const SourceFile& f, const indexer::Import& i) {
  const auto at = i.statement.begin;
  if (at == 0 || f.text[at - 1] == '\n') return ImportPlace::kTop;
  for (const auto& d : f.facts.definitions) {
    const bool code = d.kind != SymbolKind::kClass && d.kind != SymbolKind::kVariable &&
                      d.kind != SymbolKind::kConstant;
    if (code && inside(i.statement, d.span) && d.name.end < at) {
      return ImportPlace::kFunction;
    }
  }
  return ImportPlace::kCondition;
}

// Files that a file imports while it is read.
const std::set<std::string>& ReadOrder::read_with(const std::string& path) {
  const auto [it, fresh] = read_with_.try_emplace(path);
  if (!fresh) return it->second;
  const auto file = load_facts(snapshot_, path);
  if (!file) return it->second;
  for (const auto& i : file->facts.imports) {
    // const x = require('m') stands behind something else on its line.
    const bool require = file->slice(i.statement).starts_with("require");
    const auto place = place_of(*file, i);
    if (place != ImportPlace::kTop && !(require && place == ImportPlace::kCondition)) continue;
    const auto target = imports_.target(path, file->slice(i.module));
    if (!target) continue;
    if (!target->ends_with('/')) {
      it->second.insert(*target);
      continue;
    }
    for (const auto& [local, name] : bound_by(*file, i).names) {
      if (snapshot_.file(*target + name + ".py")) it->second.insert(*target + name + ".py");
    }
  }
  return it->second;
}
bool ReadOrder::reaches(const std::string& from, const std::string& to) {
  std::set<std::string> seen{from};
  std::vector<std::string> open{from};
  while (!open.empty()) {
    const auto path = open.back();
    open.pop_back();
    for (const auto& next : read_with(path)) {
      if (next == to) return true;
      if (seen.insert(next).second) open.push_back(next);
    }
  }
  return false;
}

}  // namespace ambit::daemon
