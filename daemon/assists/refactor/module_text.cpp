#include "daemon/assists/refactor/module_text.h"

#include <algorithm>
#include <vector>

#include "daemon/assists/refactor/site_text.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;
using indexer::SymbolKind;
using indexer::SyntaxTree;

namespace {

bool is_python(const SourceFile& f) {
  return indexer::language_of(f.path) == Language::kPython;
}

// Between "import" and "from" in JavaScript and TypeScript.
std::string imported(const std::string& name, const std::string& local) {
  if (name == "default") return local;
  return "{ " + (name == local ? name : name + " as " + local) + " }";
}

}  // namespace

std::string ImportWriter::line(const std::string& importer, const std::string& target,
                               const std::string& name, const std::string& local) const {
  if (is_python(like_)) {
    return "from " + imports_.python_module(target) + " import " +
           (name == local ? name : name + " as " + local);
  }
  // In the style of an import that is there: with an ending or without, its quotes, its semicolon.
  std::string sample = like_.text.find("from \"") != std::string::npos ? "\"./none\"" : "'./none'";
  std::string sample_target = folder_of_path(like_.path) + "none.ts";
  bool semicolon =
      like_.text.find("\";") != std::string::npos || like_.text.find("';") != std::string::npos;
  for (const auto& i : like_.facts.imports) {
    const auto words = like_.slice(i.module);
    const auto found = imports_.target(like_.path, words);
    if (!found || stem_of(*found) == "index") continue;
    sample = words;
    sample_target = *found;
    semicolon = like_.slice(i.statement).ends_with(';');
    break;
  }
  const auto words = imports_.words_for(like_.path, sample_target, sample, importer, target);
  return "import " + imported(name, local) + " from " + (words ? *words : sample) +
         (semicolon ? ";" : "");
}

std::string ImportWriter::same_module(std::string_view words, const std::string& module,
                                      const std::string& name, const std::string& local) const {
  if (is_python(like_)) {
    return "from " + module + " import " + (name == local ? name : name + " as " + local);
  }
  const bool types = words.starts_with("import type");
  return std::string(types ? "import type " : "import ") + imported(name, local) + " from " +
         module + (words.ends_with(';') ? ";" : "");
}

Result<void> replace_imported_name(const SourceFile& f, const Bound& bound,
                                   const std::string& local, const std::string& added,
                                   FileEdits& edits) {
  const auto& i = *bound.import;
  const auto& name = bound.names.at(local);
  const auto unusual = [&](const char* why) {
    return refusal(f.path, f.line_of(i.statement.begin), why);
  };
  if (bound.names.size() == 1) {
    auto span = i.statement;
    if (added.empty()) {
      while (span.end < f.text.size() && f.text[span.end] != '\n') ++span.end;
      if (span.end < f.text.size()) ++span.end;
    }
    edits.edit(f, span, added);
    return {};
  }
  const auto words = f.slice(i.statement);
  const bool is_default = name == "default" && !is_python(f);
  if (is_default && has_word(words, "default")) return unusual("is written in an unusual way");
  const auto as = name == local || is_default ? local : name + " as " + local;
  auto at = words.find(as);
  for (; at != std::string_view::npos; at = words.find(as, at + 1)) {
    const bool begins = !word_byte(words[at - 1]);
    const bool ends = at + as.size() >= words.size() || !word_byte(words[at + as.size()]);
    // Behind the module in Python, in front of it elsewhere.
    const bool behind = at > i.module.end - i.statement.begin;
    if (begins && ends && behind == is_python(f)) break;
  }
  if (at == std::string_view::npos) return unusual("is written in an unusual way");
  auto begin = at, end = at + as.size();
  while (end < words.size() && (words[end] == ' ' || words[end] == '\n')) ++end;
  if (end < words.size() && words[end] == ',') {
    ++end;
    while (end < words.size() && words[end] == ' ') ++end;
  } else {
    end = at + as.size();
    while (begin > 0 && (words[begin - 1] == ' ' || words[begin - 1] == '\n')) --begin;
    if (begin == 0 || words[begin - 1] != ',') return unusual("is written in an unusual way");
    --begin;
  }
  const auto from = i.statement.begin;
  edits.edit(f, {from + static_cast<std::uint32_t>(begin), from + static_cast<std::uint32_t>(end)},
             "");
  if (!added.empty()) {
    auto begin_of_line = i.statement.begin;
    while (begin_of_line > 0 && f.text[begin_of_line - 1] != '\n') --begin_of_line;
    const auto indent = f.text.substr(begin_of_line, i.statement.begin - begin_of_line);
    if (indent.find_first_not_of(" \t") != std::string::npos) {
      return unusual("has an import behind something else on its line");
    }
    edits.edit(f, {i.statement.end, i.statement.end},
               std::string(line_end_of(f.text)) + indent + added);
  }
  return {};
}

namespace {

// Takes these names out of an import, or the whole of it with its line.
void drop_imported_names(const SourceFile& f, const Bound& bound,
                         const std::set<std::string>& locals, FileEdits& edits) {
  const auto& i = *bound.import;
  if (locals.size() == bound.names.size()) {
    auto span = i.statement;
    while (span.end < f.text.size() && f.text[span.end] != '\n') ++span.end;
    if (span.end < f.text.size()) ++span.end;
    // The only one between empty lines, or at the start.
    const auto before = std::string_view(f.text).substr(0, span.begin);
    const bool apart = before.empty() || before.ends_with("\n\n");
    if (apart && span.end < f.text.size() && f.text[span.end] == '\n') ++span.end;
    edits.edit(f, span, "");
    return;
  }
  const auto open = f.text.find('{', i.statement.begin);
  const auto close = f.text.find('}', i.statement.begin);
  if (open >= i.statement.end || close >= i.statement.end) return;
  // The entries between the braces, each from its first letter.
  struct Entry {
    std::uint32_t begin = 0, end = 0;
    bool dropped = false;
  };
  std::vector<Entry> entries;
  for (auto at = open + 1; at < close;) {
    const auto end = std::min(f.text.find(',', at), close);
    const auto first = f.text.find_first_not_of(" \t\r\n", at);
    if (first < end) {
      const auto last = f.text.find_last_not_of(" \t\r\n", end - 1) + 1;
      auto name = std::string_view(f.text).substr(first, last - first);
      if (const auto as = name.rfind(' '); as != std::string_view::npos) name.remove_prefix(as + 1);
      entries.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last),
                         locals.contains(std::string(name))});
    }
    at = end + 1;
  }
  for (std::size_t k = 0; k < entries.size(); ++k) {
    if (!entries[k].dropped) continue;
    auto last = k;
    while (last + 1 < entries.size() && entries[last + 1].dropped) ++last;
    if (last + 1 < entries.size()) {
      edits.edit(f, {entries[k].begin, entries[last + 1].begin}, "");
    } else if (k > 0) {
      edits.edit(f, {entries[k - 1].end, entries[last].end}, "");
    }
    k = last;
  }
}

}  // namespace

void drop_unused_imports(const SourceFile& from, ByteSpan span, FileEdits& edits) {
  auto rest = from.text;
  const auto blank = [&](ByteSpan s) {
    std::fill(rest.begin() + s.begin, rest.begin() + s.end, ' ');
  };
  blank(span);
  for (const auto& i : from.facts.imports) blank(i.statement);
  for (const auto& i : from.facts.imports) {
    const auto bound = bound_by(from, i);
    const auto words = from.slice(i.statement);
    if (bound.everything || !words.starts_with("import")) continue;
    std::set<std::string> unused;
    for (const auto& [local, name] : bound.names) {
      if (has_word(from.slice(span), local) && !has_word(rest, local)) unused.insert(local);
    }
    const bool typed = indexer::language_of(from.path) != Language::kJavaScript;
    if (unused.empty() || (unused.size() == bound.names.size() && !typed)) continue;
    drop_imported_names(from, bound, unused, edits);
  }
}

const indexer::Import* last_top_import(const SourceFile& f) {
  const indexer::Import* out = nullptr;
  for (const auto& i : f.facts.imports) {
    const bool behind = std::any_of(
        f.facts.definitions.begin(), f.facts.definitions.end(), [&](const indexer::Definition& d) {
          return d.span.begin < i.statement.begin &&
                 (d.kind == SymbolKind::kFunction || d.kind == SymbolKind::kClass);
        });
    if (place_of(f, i) == ImportPlace::kTop && !behind) out = &i;
  }
  return out;
}

std::uint32_t behind_future(const SourceFile& f) {
  for (std::size_t at = f.text.find("from __future__"); at != std::string::npos;
       at = f.text.find("from __future__", at + 1)) {
    if (at > 0 && f.text[at - 1] != '\n') continue;
    const auto end = f.text.find('\n', at);
    return static_cast<std::uint32_t>(end == std::string::npos ? f.text.size() : end + 1);
  }
  return 0;
}

std::uint32_t first_line(const SourceFile& f) {
  const bool python = is_python(f);
  if (const auto at = behind_future(f); python && at > 0) return at;
  const auto tree = SyntaxTree::parse(indexer::language_of(f.path), f.text);
  if (!tree) return 0;
  for (const auto c : tree->children(0)) {
    const auto& n = (*tree)[c];
    const bool doc = python && n.type == "expression_statement" && c + 1 < n.after &&
                     (*tree)[c + 1].type == "string" && (*tree)[c + 1].after == n.after;
    if (n.type != "comment" && n.type != "hash_bang_line" && !doc) return n.span.begin;
  }
  return 0;
}

}  // namespace ambit::daemon
