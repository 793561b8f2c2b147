// Methods that code outside of the repository calls by their name, as far as the text tells.
#pragma once

#include <vector>

#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

// kInvalidArgument, with the place, when a base class or the language asks for the method, and none
// of `all` (what changes together) is what it overrides. Go: go_interfaces.h; Rust: rust_traits.h.
[[nodiscard]] Result<void> check_not_asked_elsewhere(const indexer::Snapshot& snapshot,
                                                     const std::vector<indexer::Symbol>& all);

}  // namespace ambit::daemon
