// Everybody who imports what moves out of a module of Python, JavaScript or TypeScript.
#pragma once

#include <optional>
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
  std::string exported_as;  // the symbol's name, or "default"
};

// Their imports name the new home; the files that have one at their top. kInvalidArgument, with the
// place, where somebody reaches it in another way.
[[nodiscard]] Result<std::set<std::string>> change_module_users(const ModuleMove& move,
                                                                FileEdits& edits,
                                                                std::stop_token stop);

// Where a file names a module of JavaScript or TypeScript outside of its imports: mock('./a').
[[nodiscard]] std::optional<std::size_t> names_module_elsewhere(const Imports& imports,
                                                                const std::string& module,
                                                                const SourceFile& file);

}  // namespace ambit::daemon
