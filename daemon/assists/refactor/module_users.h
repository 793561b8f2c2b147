// Everybody who imports what moves out of a module of Python, JavaScript or TypeScript.
#pragma once

#include <set>
#include <stop_token>
#include <string>

#include "daemon/assists/refactor/module_text.h"

namespace ambit::daemon {

struct ModuleMove {
  const indexer::Snapshot& snapshot;
  const Imports& imports;
  const indexer::Symbol& symbol;
  const SourceFile& from;
  const std::string& to;
  const ImportWriter& writer;
};

// Their imports name the new home; the files that have one at their top. kInvalidArgument, with the
// place, where somebody reaches it in another way.
[[nodiscard]] Result<std::set<std::string>> change_module_users(const ModuleMove& move,
                                                                FileEdits& edits,
                                                                std::stop_token stop);

}  // namespace ambit::daemon
