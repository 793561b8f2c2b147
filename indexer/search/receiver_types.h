// The type of what stands left of a dot, for who has a Snapshot alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/index.h"

namespace ambit::indexer {

// Names of the type of the object through which the name at this byte is reached, its own first and
// its bases behind it; empty where the syntax does not say, or it is reached through nothing.
[[nodiscard]] std::vector<std::string> receiver_types(const Snapshot& snapshot,
                                                      std::string_view path, std::uint32_t offset);

}  // namespace ambit::indexer
