// Learns what inference/memory/{voters,confidence}.inc hold.
#pragma once

#include <filesystem>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::bench {

// Voter weights by gradient descent on the log loss of the hidden text's lexemes; `count` holes
// from each repository. Prints the loss before and after, on a tenth that is kept aside.
// newest: the last voter and the chance of something new alone, the others as they are.
[[nodiscard]] Result<void> learn_voters(const std::vector<std::filesystem::path>& repositories,
                                        std::size_t count, const std::filesystem::path& out,
                                        bool newest);
// Confidence of a whole guess, by logistic regression on whether it was the hidden text.
[[nodiscard]] Result<void> learn_confidence(const std::vector<std::filesystem::path>& repositories,
                                            std::size_t count, const std::filesystem::path& out);

}  // namespace ambit::bench
