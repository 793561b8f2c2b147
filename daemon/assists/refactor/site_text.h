// What the bytes around a name say about it, without a parse: words, receivers, keys, declarations.
// Inside the rename only.
#pragma once

#include <string>
#include <string_view>

#include "daemon/assists/path_words.h"
#include "indexer/syntax/languages.h"
#include "indexer/types.h"

namespace ambit::daemon {

// Part of a name in some language: letters, digits, '_', '$' and everything beyond ASCII.
[[nodiscard]] bool word_byte(char c);
[[nodiscard]] bool has_word(std::string_view text, std::string_view word);
// The name of a class that a scope ends with: "a::b" -> "b".
[[nodiscard]] std::string last_name(std::string_view scope);

// "c" of "a/b/c.x".
[[nodiscard]] std::string_view stem_of(std::string_view path);

// What stands in front of a name.
struct Around {
  bool member = false;    // x.name, x->name
  bool scoped = false;    // x::name
  std::string qualifier;  // x, "" when it is no plain name
  std::size_t qualifier_at = 0;
};
[[nodiscard]] Around around(std::string_view text, std::size_t begin, indexer::Language language);

// The words that declare a variable: its line up to the name, or behind it up to "=" (name: Type).
[[nodiscard]] std::string declaration_of(std::string_view text, indexer::ByteSpan name,
                                         indexer::Language language);
// struct name, class name …
[[nodiscard]] bool tagged(std::string_view text, std::size_t begin);
// The key of an object, a struct or a keyword argument: a name of another kind.
[[nodiscard]] bool is_key(std::string_view text, indexer::ByteSpan at, indexer::Language language);
// Inside braces of an object or a pattern, with nothing but the name between its separators.
[[nodiscard]] bool is_shorthand(std::string_view text, indexer::ByteSpan at,
                                indexer::Language language);

}  // namespace ambit::daemon
