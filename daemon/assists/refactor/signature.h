// Adds or removes a parameter of a function: its declarations, its body's signature and all calls.
#pragma once

#include "daemon/assists/refactor/refactor.h"

namespace ambit::daemon {

// Calls that are not sure to mean the function, and uses that are no calls (its address is taken),
// are said in `notes` and left alone. kInvalidArgument when the parameter is not there, or a caller
// has fewer arguments than it must.
[[nodiscard]] Result<std::vector<PlanStep>> plan_signature(const indexer::Snapshot& snapshot,
                                                           const RefactorRequest& request,
                                                           const Instruction& instruction,
                                                           std::vector<std::string>& notes,
                                                           std::stop_token stop);

// The name that a parameter declares: `int depth = 3`, `depth: int = 3`, `depth int`, `...rest`.
[[nodiscard]] std::string parameter_name(std::string_view text, indexer::Language language);

// Where the argument or parameter list behind a name opens: past template or type arguments; npos
// where none does.
[[nodiscard]] std::size_t list_after(std::string_view text, std::size_t at);

// The pieces of a bracketed list: text[open] is "(", the result spans what stands between commas
// (blanks trimmed), `close` is where the ")" stands. nullopt when it does not close.
struct ListPieces {
  std::vector<indexer::ByteSpan> pieces;
  std::size_t open = 0, close = 0;
};
[[nodiscard]] std::optional<ListPieces> list_pieces(std::string_view text, std::size_t open);

struct ListEdit {
  indexer::ByteSpan span;
  std::string text;
};
// Piece n goes, with the comma and the blanks that belong to it.
[[nodiscard]] ListEdit without_piece(const ListPieces& list, std::size_t n);
// `words` becomes piece n; at most the number of pieces.
[[nodiscard]] ListEdit with_piece(const ListPieces& list, std::size_t n, const std::string& words);

}  // namespace ambit::daemon
