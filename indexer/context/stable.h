// The stable part of a pack: which definitions (S2) and full texts (S3) stand in front of every
// prompt of a repository, and in what order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "indexer/context/graph.h"
#include "indexer/context/pack.h"
#include "indexer/context/signals.h"

namespace ambit::indexer::context {

// The share of the stable budget that is kept free for the delta log.
inline constexpr double kDeltaShare = 0.10;

// One line for each definition of these names.
[[nodiscard]] std::string named_outline(const std::string& path, const std::vector<Symbol>& symbols,
                                        const std::set<std::string>& names);

// `budget`: of S0 to S3 and the delta log together. `around`: files of the session, most important
// first; they may be missing. kCancelled.
[[nodiscard]] Result<std::shared_ptr<const StablePart>> make_stable_part(
    const Ranker& ranker, const Snapshot& base, const std::string& repository, std::int64_t budget,
    const std::vector<std::string>& around, const TokenCounter& count, std::stop_token stop);

// A stable part as bytes, and back. kCorrupt when the bytes are not what was written, whole.
[[nodiscard]] std::string encode_stable_part(const StablePart& part);
[[nodiscard]] Result<std::shared_ptr<const StablePart>> decode_stable_part(std::string_view bytes);

}  // namespace ambit::indexer::context
