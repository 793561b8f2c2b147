// The lists behind the name of a function: what it takes, and what a caller passes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/syntax/languages.h"
#include "indexer/syntax/tree.h"
#include "indexer/types.h"

namespace ambit::daemon {

// Where the argument or parameter list behind a name opens: past template or type arguments; npos
// where none does.
[[nodiscard]] std::size_t list_after(std::string_view text, std::size_t at);

// The pieces of a bracketed list: text[open] is "(", the result spans what stands between commas
// (blanks trimmed), `close` is where the ")" stands.
struct ListPieces {
  std::vector<indexer::ByteSpan> pieces;
  std::size_t open = 0, close = 0;
};
// By the characters alone; nullopt when it does not close.
[[nodiscard]] std::optional<ListPieces> list_pieces(std::string_view text, std::size_t open);
// By the grammar, which knows lifetimes, templates and texts of all kinds; nullopt where it does
// not see a list.
[[nodiscard]] std::optional<ListPieces> list_pieces(const indexer::SyntaxTree& tree,
                                                    std::string_view text, std::size_t open);

struct ListEdit {
  indexer::ByteSpan span;
  std::string text;
};
// Piece n goes, with the comma and the blanks that belong to it.
[[nodiscard]] ListEdit without_piece(const ListPieces& list, std::size_t n);
// `words` becomes piece n; at most the number of pieces.
[[nodiscard]] ListEdit with_piece(const ListPieces& list, std::size_t n, const std::string& words);

// The name that a parameter declares: `int depth = 3`, `depth: int = 3`, `depth int`, `...rest`.
[[nodiscard]] std::string parameter_name(std::string_view text, indexer::Language language);

struct Parameter {
  std::string words;          // as written
  std::string name;           // "" for a pattern, or a type alone
  std::string type;           // Go: also where it is written behind a later name (`a, b int`)
  bool receiver = false;      // self, cls, this: no argument of a call through an object
  bool marker = false;        // Python's * and /
  bool open_ended = false;    // takes any number of arguments
  bool optional = false;      // a caller may leave it out
  bool by_name_only = false;  // Python: behind * or *args
  // Of the argument; nullopt for what is passed by name only, or is a receiver or a marker.
  std::optional<std::size_t> position;
};
[[nodiscard]] Parameter read_parameter(std::string_view words, indexer::Language language);
// All of a list, with what one says about the others.
[[nodiscard]] std::vector<Parameter> read_parameters(std::string_view text, const ListPieces& list,
                                                     indexer::Language language);

// What stands between name and value of an argument that is passed by name: "=" in Python, Kotlin
// and Scala, ": " in C#, PHP and Swift, "" elsewhere.
[[nodiscard]] std::string_view name_sign(indexer::Language language);
// The name in "name=value" (Python, Kotlin, Scala) or "name: value" (C#, PHP, Swift); "" for other
// arguments.
[[nodiscard]] std::string_view argument_name(std::string_view words, indexer::Language language);
// Passes any number of arguments.
[[nodiscard]] bool is_spread(std::string_view words, indexer::Language language);

}  // namespace ambit::daemon
