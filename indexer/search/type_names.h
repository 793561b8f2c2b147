// Types as they are written: what a declaration calls its type, and which scope a name stands for.
#pragma once

#include <string>
#include <string_view>

#include "indexer/syntax/languages.h"
#include "indexer/types.h"

namespace ambit::indexer {

[[nodiscard]] bool is_type(SymbolKind kind);
// Where $ is a letter.
[[nodiscard]] bool has_dollar_names(Language language);
// Whether a plain name in a method may be a member of its class: no this. or self. is needed.
[[nodiscard]] bool has_implicit_this(Language language);
// Whether a scope is that of the type: "Outer.Base" of "Base" and of "Outer.Base".
[[nodiscard]] bool is_scope_of(std::string_view scope, std::string_view type);
// "std::unique_ptr<Foo>" -> "Foo", "Optional[a.B]" -> "B", "&'a mut Vec<T>" -> "Vec".
[[nodiscard]] std::string simple_type(std::string_view type);

}  // namespace ambit::indexer
