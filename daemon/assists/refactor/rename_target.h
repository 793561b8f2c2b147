// Which definitions are the symbol that a person means, and what belongs to it. Inside the rename
// only.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "daemon/assists/refactor/rename.h"

namespace ambit::daemon {

[[nodiscard]] bool is_type_kind(indexer::SymbolKind kind);
[[nodiscard]] bool is_member(const indexer::Symbol& symbol);
// False where two members of one name are apart: a field and a method of Rust.
[[nodiscard]] bool same_namespace(const indexer::Symbol& a, const indexer::Symbol& b);
// "a.h:3:5 (function N::f)" and "N::f".
[[nodiscard]] std::string shown_place(const indexer::Symbol& symbol);
[[nodiscard]] std::string qualified_name(const indexer::Symbol& symbol);
[[nodiscard]] std::vector<indexer::Symbol> definitions_of(const indexer::Snapshot& snapshot,
                                                          const std::string& name);

// The definitions and declarations of the one symbol; `all` are those of its name. kNotFound, and
// kInvalidArgument with the list when there are several.
[[nodiscard]] Result<std::vector<indexer::Symbol>> choose_symbol(const indexer::Snapshot& snapshot,
                                                                 const RenameTarget& target,
                                                                 std::vector<indexer::Symbol>& all);
// Adds the names of the classes that these classes inherit from, or that inherit from them, to any
// depth, among those that have one of these methods.
void add_relatives(const indexer::Snapshot& snapshot, std::set<std::string>& classes,
                   const std::vector<indexer::Symbol>& methods);

}  // namespace ambit::daemon
