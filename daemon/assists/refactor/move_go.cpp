// Moves a function, method or type of Go to another file of its package, where everybody finds it
// as before. What must hold: both files are built under the same conditions, the new home imports
// what the definition names, and the old one imports nothing that it names no more, which Go
// refuses to build. An import has a name that its path does not always tell: what the index cannot
// pair with the names in the file is refused.
#include <algorithm>
#include <set>

#include "daemon/assists/refactor/go_file.h"
#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Snapshot;
using indexer::Symbol;

namespace {

class GoMover {
 public:
  GoMover(const Snapshot& snapshot, const Symbol& symbol, const std::string& to)
      : snapshot_(snapshot), symbol_(symbol), to_(to) {}

  Result<PlanStep> plan() {
    if (folder_of(symbol_.path) != folder_of(to_)) {
      return no("definitions of Go move within their package; " + to_ +
                " is in another folder than " + symbol_.path);
    }
    if (go_name_conditions(symbol_.path) != go_name_conditions(to_)) {
      return no(to_ + " is built under other conditions than " + symbol_.path + ", by its name");
    }
    AMBIT_TRY(from, GoFile::load(snapshot_, symbol_.path));
    from_ = std::move(from);
    if (snapshot_.file(to_)) {
      AMBIT_TRY(target, GoFile::load(snapshot_, to_));
      target_ = std::move(target);
      if (target_->package != from_.package) {
        return no(to_ + " is of package " + target_->package + ", " + symbol_.path +
                  " of package " + from_.package);
      }
      if (target_->constraints() != from_.constraints()) {
        return no(to_ + " is built under other conditions (//go:build) than " + symbol_.path);
      }
    }
    AMBIT_CHECK_OK(find_definition());
    AMBIT_CHECK_OK(find_imports());
    edits_.edit(from_.source, with_gap(from_.source, span_), "");
    drop_go_imports(from_, dropped_, edits_);
    arrive();
    return edits_.take("move " + symbol_.name + " to " + to_);
  }

 private:
  [[nodiscard]] Error here(const std::string& why) const {
    return refusal(symbol_.path, symbol_.line, why);
  }

  Result<void> find_definition() {
    const auto& all = from_.source.facts.definitions;
    const auto own = std::find_if(all.begin(), all.end(), [&](const indexer::Definition& d) {
      return d.name == symbol_.name_span;
    });
    if (own == all.end()) return no(symbol_.path + " has changed; try again");
    if (own->parent >= 0) return here("is a part of " + symbol_.scope);
    const auto& t = from_.tree();
    auto node = t.around(symbol_.name_span);
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
    if (symbol_.name == "init" || symbol_.name == "_") {
      return here("may stand in a file more than once, and runs in the order of the files");
    }
    auto span = t[node].span;
    span.begin = std::min(span.begin, symbol_.span.begin);
    AMBIT_TRY(lines, whole_lines(from_.source, symbol_, span));
    span_ = lines;
    const auto head = from_.source.text.substr(span_.begin, t[node].span.begin - span_.begin);
    for (const std::string_view word : {"//go:linkname", "//go:embed", "//export ", "//go:cgo"}) {
      if (head.find(word) != std::string::npos) {
        return here("is tied to its file by " + std::string(word));
      }
    }
    return {};
  }

  // What the definition names of the imports, and what nobody names without it.
  Result<void> find_imports() {
    bool unknown = false;
    std::set<std::string> known;
    for (const auto& i : from_.imports) {
      if (i.name == "_") continue;
      if (i.name == ".")
        return no(symbol_.path + " imports " + i.path +
                  " with a dot: what the definition uses of it is not known");
      unknown = unknown || i.name.empty();
      if (i.name.empty()) continue;
      known.insert(i.name);
      const auto said = from_.says(i.name, span_, false);
      const auto elsewhere = from_.says(i.name, span_, true);
      if (!said || (*said && !elsewhere)) {
        return no(symbol_.path + " has a variable " + i.name + " beside the import of that name");
      }
      if (!*said) continue;
      if (i.path == "C") return here("uses C, whose declarations stand in its file");
      needed_.push_back(&i);
      if (!*elsewhere) dropped_.push_back(&i);
    }
    // An import whose name is not known may be what some word in front of a dot means.
    for (const auto& [word, span] : from_.qualifiers) {
      if (!unknown || !inside(span, span_) || known.contains(word)) continue;
      const auto all = snapshot_.definitions(word, 400);
      const bool ours = std::any_of(all.begin(), all.end(), [&](const Symbol& s) {
        return s.scope.empty() && folder_of(s.path) == folder_of(symbol_.path);
      });
      if (!ours && !from_.is_variable(word, span)) {
        return no("which import of " + symbol_.path + " " + word +
                  " means is not known; write its name in front of the path");
      }
    }
    if (!target_) return {};
    for (const auto& mine : needed_) {
      for (const auto& theirs : target_->imports) {
        const bool same_path = theirs.path == mine->path;
        if (theirs.name == mine->name && !same_path) {
          return no(to_ + " imports another " + mine->name + ": " + theirs.path);
        }
        if (same_path && theirs.name != mine->name && theirs.name != "_") {
          return no(to_ + " imports " + mine->path + " under another name");
        }
      }
    }
    return {};
  }

  void arrive() {
    const auto body = with_line_ends(std::string(from_.source.slice(span_)), "\n");
    std::vector<GoImport> needed;
    for (const auto* i : needed_) needed.push_back(*i);
    if (!target_) {
      auto text = from_.constraints();
      if (!text.empty()) text += "\n";
      edits_.create(to_,
                    text + "package " + from_.package + "\n\n" + go_import_block(needed) + body);
      return;
    }
    const auto& f = target_->source;
    add_go_imports(*target_, needed, edits_);
    const auto size = static_cast<std::uint32_t>(f.text.size());
    edits_.edit(f, {size, size},
                with_line_ends((f.text.ends_with('\n') ? "\n" : "\n\n") + body,
                               std::string(line_end_of(f.text))));
  }

  const Snapshot& snapshot_;
  const Symbol& symbol_;
  const std::string to_;
  GoFile from_;
  std::optional<GoFile> target_;
  ByteSpan span_;
  std::vector<const GoImport*> needed_, dropped_;
  FileEdits edits_;
};

}  // namespace

Result<PlanStep> plan_go_move(const Snapshot& snapshot, const Symbol& symbol,
                              const std::string& to) {
  return GoMover(snapshot, symbol, to).plan();
}

}  // namespace ambit::daemon
