// What repository memory must beat: copying what followed the longest match, and an n-gram model
// with a cache. Both know exactly the same text.
#pragma once

#include <string>

#include "inference/memory/predictor.h"
#include "tests/bench/completion/cases.h"

namespace ambit::bench {

// The rest of the line behind the place, anywhere, whose text before it agrees longest with the
// text before the cursor (characters, runs of white space as one); the nearest one in the file
// first, then the file order. Empty when fewer than 8 characters agree.
[[nodiscard]] std::string copy_nearest(const Repository& repository, const Hole& hole);

// Greedy decoding of an interpolated 5-gram model of the repository's lexemes with a cache of the
// file at hand: weights 1, 4, 16, 64, 256 by order, a tenth more for each next count, the file
// three times the rest.
[[nodiscard]] std::string ngram_with_cache(const inference::MemoryQuery& query,
                                           const std::string& before);

}  // namespace ambit::bench
