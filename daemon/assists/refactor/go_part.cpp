#include "daemon/assists/refactor/go_part.h"

#include <algorithm>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::kNoNode;
using indexer::Snapshot;
using indexer::Symbol;

Result<GoPart> find_go_part(const GoFile& from, const Symbol& symbol) {
  const auto here = [&](const std::string& why) { return refusal(symbol.path, symbol.line, why); };
  GoPart out;
  const auto& all = from.source.facts.definitions;
  const auto own = std::find_if(all.begin(), all.end(), [&](const indexer::Definition& d) {
    return d.name == symbol.name_span;
  });
  if (own == all.end()) return no(symbol.path + " has changed; try again");
  if (own->parent >= 0) return here("is a part of " + symbol.scope);
  const auto& t = from.tree();
  auto node = t.around(symbol.name_span);
  while (node != kNoNode && t[node].parent != 0) node = t[node].parent;
  const auto& type = t[node].type;
  if (type == "type_declaration") {
    std::size_t specs = 0;
    for (const auto c : t.children(node)) {
      if (t[c].type == "(") return here("stands in a group; take it out of it first");
      specs += t[c].named && t[c].type != "comment" ? 1 : 0;
    }
    if (specs != 1) return here("is declared together with others");
  } else if (type != "function_declaration" && type != "method_declaration") {
    return here("is no function, method or type");
  }
  if (symbol.name == "init" || symbol.name == "_") {
    return here("may stand in a file more than once, and runs in the order of the files");
  }
  auto span = t[node].span;
  span.begin = std::min(span.begin, symbol.span.begin);
  AMBIT_TRY(lines, whole_lines(from.source, symbol, span));
  out.node = node;
  out.span = lines;
  const auto head = from.source.text.substr(out.span.begin, t[node].span.begin - out.span.begin);
  for (const std::string_view word : {"//go:linkname", "//go:embed", "//export ", "//go:cgo"}) {
    if (head.find(word) != std::string::npos) {
      return here("is tied to its file by " + std::string(word));
    }
  }
  return out;
}

Result<void> find_go_imports(const Snapshot& snapshot, const GoFile& from, const Symbol& symbol,
                             const GoFile* target, const std::string& to, GoPart& part) {
  const auto here = [&](const std::string& why) { return refusal(symbol.path, symbol.line, why); };
  bool unknown = false;
  std::set<std::string> known;
  for (const auto& i : from.imports) {
    if (i.name == "_") continue;
    if (i.name == ".")
      return no(symbol.path + " imports " + i.path +
                " with a dot: what the definition uses of it is not known");
    unknown = unknown || i.name.empty();
    if (i.name.empty()) continue;
    known.insert(i.name);
    const auto said = from.says(i.name, part.span, false);
    const auto elsewhere = from.says(i.name, part.span, true);
    if (!said || (*said && !elsewhere)) {
      return no(symbol.path + " has a variable " + i.name + " beside the import of that name");
    }
    if (!*said) continue;
    if (i.path == "C") return here("uses C, whose declarations stand in its file");
    part.needed.push_back(&i);
    if (!*elsewhere) part.dropped.push_back(&i);
  }
  // An import whose name is not known may be what some word in front of a dot means.
  for (const auto& [word, span] : from.qualifiers) {
    if (!unknown || !inside(span, part.span) || known.contains(word)) continue;
    const auto all = snapshot.definitions(word, 400);
    const bool ours = std::any_of(all.begin(), all.end(), [&](const Symbol& s) {
      return s.scope.empty() && folder_of(s.path) == folder_of(symbol.path);
    });
    if (!ours && !from.is_variable(word, span)) {
      return no("which import of " + symbol.path + " " + word +
                " means is not known; write its name in front of the path");
    }
  }
  if (!target) return {};
  for (const auto& mine : part.needed) {
    for (const auto& theirs : target->imports) {
      const bool same_path = theirs.path == mine->path;
      if (theirs.name == mine->name && !same_path) {
        return no(to + " imports another " + mine->name + ": " + theirs.path);
      }
      if (same_path && theirs.name != mine->name && theirs.name != "_") {
        return no(to + " imports " + mine->path + " under another name");
      }
    }
  }
  return {};
}

void move_go_part(const GoFile& from, const GoPart& part, const GoFile* target,
                  const std::string& to, const std::string& package, const std::string& body,
                  const std::vector<GoImport>& imports, FileEdits& edits) {
  edits.edit(from.source, with_gap(from.source, part.span), "");
  drop_go_imports(from, part.dropped, edits);
  if (target == nullptr) {
    auto text = from.constraints();
    if (!text.empty()) text += "\n";
    edits.create(to, text + "package " + package + "\n\n" + go_import_block(imports) +
                         with_line_ends(body, "\n"));
    return;
  }
  const auto& f = target->source;
  add_go_imports(*target, imports, edits);
  const auto size = static_cast<std::uint32_t>(f.text.size());
  edits.edit(f, {size, size},
             with_line_ends((f.text.ends_with('\n') ? "\n" : "\n\n") + body, line_end_of(f.text)));
}

}  // namespace ambit::daemon
