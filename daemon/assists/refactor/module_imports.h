// The imports of modules of Python, JavaScript and TypeScript: which names they bind, where they
// stand, and which files are read when one is.
#pragma once

#include <map>
#include <set>
#include <string>

#include "daemon/assists/refactor/imports.h"
#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

// One import statement that binds names.
struct Bound {
  const indexer::Import* import = nullptr;
  std::map<std::string, std::string> names;  // local name -> name in the module ("" for the module)
  bool everything = false;                   // import *, import * as
};

// Names that a statement "from m import a, b as c" or "import d, { a, b as c } from 'm'" binds; of
// d the name in the module is "default".
[[nodiscard]] Bound bound_by(const SourceFile& file, const indexer::Import& import);

// Where an import stands: Python has them anywhere.
enum class ImportPlace { kTop, kCondition, kFunction };
[[nodiscard]] ImportPlace place_of(const SourceFile& file, const indexer::Import& import);

// Python reads a file when it is first imported. Keeps references to what it is made from.
class ReadOrder {
 public:
  ReadOrder(const indexer::Snapshot& snapshot, const Imports& imports)
      : snapshot_(snapshot), imports_(imports) {}
  // Whether reading the one reads the other, over any number of files.
  [[nodiscard]] bool reaches(const std::string& from, const std::string& to);

 private:
  const std::set<std::string>& read_with(const std::string& path);

  const indexer::Snapshot& snapshot_;
  const Imports& imports_;
  std::map<std::string, std::set<std::string>> read_with_;
};

}  // namespace ambit::daemon
