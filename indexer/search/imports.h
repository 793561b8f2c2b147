// What a file brings in by name, and which files an import may mean. Text alone: no search paths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "indexer/search/words.h"
#include "indexer/syntax/extract.h"

namespace ambit::indexer {

[[nodiscard]] std::string_view folder_of(std::string_view path);
[[nodiscard]] std::string_view stem_of(std::string_view path);  // the name up to its first dot
// Whether `text` has the name as a whole word.
[[nodiscard]] bool names(std::string_view text, std::string_view name);

struct ImportedModule {
  std::string words;      // "../a/b.js" -> "a/b", "pkg.mod" -> "pkg/mod", "a::b" -> "a/b"
  bool names_it = false;  // its statement has the name that is asked for, or what qualifies it
};
[[nodiscard]] std::vector<ImportedModule> imported_modules(std::string_view text, Language language,
                                                           const std::vector<Import>& imports,
                                                           std::string_view name,
                                                           std::string_view qualifier);
// import { real as name }: "real"; else `name`.
[[nodiscard]] std::string_view name_where_defined(std::string_view text,
                                                  const std::vector<Import>& imports,
                                                  std::string_view name);
// How much speaks for a file because of what is imported: 0 to 9.
[[nodiscard]] double import_score(const std::vector<ImportedModule>& modules,
                                  std::string_view path);

// package.Name in Go: the import that brings the package; null for none.
[[nodiscard]] const Import* go_package(std::string_view text, const std::vector<Import>& imports,
                                       std::string_view name);

}  // namespace ambit::indexer
