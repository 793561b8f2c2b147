// Moves a function, method or type of Go to another file of its package, where everybody finds it
// as before. What must hold: both files are built under the same conditions, the new home imports
// what the definition names, and the old one imports nothing that it names no more, which Go
// refuses to build. An import has a name that its path does not always tell: what the index cannot
// pair with the names in the file is refused.
#include "daemon/assists/refactor/go_part.h"
#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::Snapshot;
using indexer::Symbol;

Result<PlanStep> plan_go_move(const Snapshot& snapshot, const Symbol& symbol,
                              const std::string& to) {
  if (go_name_conditions(symbol.path) != go_name_conditions(to)) {
    return no(to + " is built under other conditions than " + symbol.path + ", by its name");
  }
  AMBIT_TRY(from, GoFile::load(snapshot, symbol.path));
  std::optional<GoFile> target;
  if (snapshot.file(to)) {
    AMBIT_TRY(there, GoFile::load(snapshot, to));
    if (there.constraints() != from.constraints()) {
      return no(to + " is built under other conditions (//go:build) than " + symbol.path);
    }
    target = std::move(there);
  }
  if (folder_of(symbol.path) != folder_of(to)) {
    return plan_go_package_move(snapshot, symbol, to, from, target ? &*target : nullptr);
  }
  if (target && target->package != from.package) {
    return no(to + " is of package " + target->package + ", " + symbol.path + " of package " +
              from.package);
  }
  AMBIT_TRY(part, find_go_part(from, symbol));
  AMBIT_CHECK_OK(find_go_imports(snapshot, from, symbol, target ? &*target : nullptr, to, part));
  std::vector<GoImport> imports;
  for (const auto* i : part.needed) imports.push_back(*i);
  FileEdits edits;
  move_go_part(from, part, target ? &*target : nullptr, to, from.package,
               std::string(from.source.slice(part.span)), imports, edits);
  return edits.take("move " + symbol.name + " to " + to);
}

}  // namespace ambit::daemon
