// How imports of Python, JavaScript and TypeScript are written, and where they go in their file.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "daemon/assists/refactor/imports.h"
#include "daemon/assists/refactor/module_imports.h"
#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

// New import statements in the style of one file. Keeps references to what it is made from.
class ImportWriter {
 public:
  ImportWriter(const Imports& imports, const SourceFile& like) : imports_(imports), like_(like) {}
  // Of `name` of the file `target`, which `importer` calls `local`.
  [[nodiscard]] std::string line(const std::string& importer, const std::string& target,
                                 const std::string& name, const std::string& local) const;
  // One name of the statement `words`, which imports from `module`, as it is written.
  [[nodiscard]] std::string same_module(std::string_view words, const std::string& module,
                                        const std::string& name, const std::string& local) const;

 private:
  const Imports& imports_;
  const SourceFile& like_;
};

// Takes the name that is `local` out of a statement that binds it, and puts the statement `added`
// ("" for none) beside it. kInvalidArgument when it is written in an unusual way.
[[nodiscard]] Result<void> replace_imported_name(const SourceFile& file, const Bound& bound,
                                                 const std::string& local, const std::string& added,
                                                 FileEdits& edits);

// Takes imports of JavaScript or TypeScript out that only the text in `span` needs. TypeScript
// leaves such ones out of what runs; JavaScript runs their modules, so that the last name of one
// stays.
void drop_unused_imports(const SourceFile& from, indexer::ByteSpan span, FileEdits& edits);

// The last import in front of all functions and classes; null without one.
[[nodiscard]] const indexer::Import* last_top_import(const SourceFile& file);
// Behind the line "from __future__ import …" of Python, which stays the first; 0 without one.
[[nodiscard]] std::uint32_t behind_future(const SourceFile& file);
// Behind the comment and doc string that a file begins with.
[[nodiscard]] std::uint32_t first_line(const SourceFile& file);

}  // namespace ambit::daemon
