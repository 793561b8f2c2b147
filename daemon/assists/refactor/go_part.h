// A definition of Go that moves: its lines, and what of its file's imports goes with it.
#pragma once

#include <string>
#include <vector>

#include "daemon/assists/refactor/go_file.h"

namespace ambit::daemon {

struct GoPart {
  std::uint32_t node = 0;  // its declaration
  indexer::ByteSpan span;  // whole lines, with its comment
  std::vector<const GoImport*> needed,
      dropped;  // of its file: what it names, what nobody else does
};

// kInvalidArgument when it is no function, method or type of its own, or is tied to its file.
[[nodiscard]] Result<GoPart> find_go_part(const GoFile& from, const indexer::Symbol& symbol);
// Fills needed and dropped. kInvalidArgument when that cannot be told, or when `target` (null for a
// new file) means something else by a name.
[[nodiscard]] Result<void> find_go_imports(const indexer::Snapshot& snapshot, const GoFile& from,
                                           const indexer::Symbol& symbol, const GoFile* target,
                                           const std::string& to, GoPart& part);
// Takes the part out of its file, and puts `body` with these imports at the end of `to`.
void move_go_part(const GoFile& from, const GoPart& part, const GoFile* target,
                  const std::string& to, const std::string& package, const std::string& body,
                  const std::vector<GoImport>& imports, FileEdits& edits);

// The move to another package of the module; `target` is null when `to` is new.
[[nodiscard]] Result<PlanStep> plan_go_package_move(const indexer::Snapshot& snapshot,
                                                    const indexer::Symbol& symbol,
                                                    const std::string& to, const GoFile& from,
                                                    const GoFile* target);

}  // namespace ambit::daemon
