// Making spans: every byte of a pack goes through make_span, which puts placeholders in the place
// of secrets before it counts.
#pragma once

#include <string>
#include <vector>

#include "indexer/context/pack.h"

namespace ambit::indexer::context {

[[nodiscard]] PackSpan make_span(std::string path, Region region, Detail detail,
                                 std::string_view text, const TokenCounter& count,
                                 std::string reason, double score = 0);

// A file's text as prompts may have it: secrets replaced, over whole files, since a part of a key
// is not seen to be one. Line numbers stay.
[[nodiscard]] Result<std::string> prompt_text(const Snapshot& snapshot, std::string_view path);

[[nodiscard]] std::int64_t sum_tokens(const std::vector<PackSpan>& spans);

}  // namespace ambit::indexer::context
