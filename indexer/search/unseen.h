// What the C and C++ grammars do not see, read from the words alone: variables of functions in
// which they lost their way, and names that the call of a macro defines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/search/snapshot.h"

namespace ambit::indexer {

// Where the function around `use` declares `name`: by its look a declaration, a parameter, or an
// argument of a macro that begins a block (for_each(entry, list) { … }).
[[nodiscard]] std::optional<ByteSpan> declared_in_function(const ParsedText& parsed,
                                                           std::string_view name, std::size_t use);
// The call of a macro outside of functions whose first argument is `name`: OP(LOADV, 1),
// LIST_HEAD(waiting);
[[nodiscard]] std::optional<Symbol> made_by_macro(const SnapshotImpl& snapshot,
                                                  std::string_view path, std::string_view name);
// The member `name` of one of these types, when the #define declares it that stands for members:
// struct handle { HANDLE_FIELDS int own; };
[[nodiscard]] std::optional<Symbol> member_of_macro(const SnapshotImpl& snapshot,
                                                    const std::vector<std::string>& types,
                                                    std::string_view name);

}  // namespace ambit::indexer
