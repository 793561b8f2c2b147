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

// The pieces of a bracketed list: text[open] is "(", the result spans what stands between commas
// (blanks trimmed), `close` is where the ")" stands. nullopt when it does not close.
struct ListPieces {
  std::vector<indexer::ByteSpan> pieces;
  std::size_t open = 0, close = 0;
};
[[nodiscard]] std::optional<ListPieces> list_pieces(std::string_view text, std::size_t open);

}  // namespace ambit::daemon
