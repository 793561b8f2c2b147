// The grammar of a model's findings for one change: only files of the change can be named, only
// lines that it added or that stand beside what it removed, each with the words that stand there,
// and no more findings than are read.
#pragma once

#include <functional>
#include <string>

#include "daemon/assists/review/change.h"

namespace ambit::daemon::review {

// shown: whether the model sees the file. A file with more added lines than a grammar can hold
// apart takes any line and quote.
[[nodiscard]] std::string findings_grammar(const ChangeSet& change, std::size_t most,
                                           const std::function<bool(const ChangedFile&)>& shown);

// How many bytes of a line are quoted at most.
inline constexpr std::size_t kMaxQuoteBytes = 120;

}  // namespace ambit::daemon::review
