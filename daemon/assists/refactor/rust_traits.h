// Which traits of Rust bring which methods: those are called without naming their trait, which must
// be imported all the same.
#pragma once

#include <set>
#include <string>

#include "daemon/assists/refactor/rust_module.h"

namespace ambit::daemon {

using RustNames = std::set<std::string, std::less<>>;

// The methods of the trait at this path, of the standard library or of this repository; empty when
// it is not known.
[[nodiscard]] RustNames rust_trait_methods(const indexer::Snapshot& snapshot,
                                           const std::string& path);
// Whether code that names these members behind a dot or "::" may call a method of what this import
// brings.
[[nodiscard]] bool may_need_trait(const indexer::Snapshot& snapshot, const RustUse& use,
                                  const RustNames& members);

// Adds to methods of one name those of the same trait: of the trait itself and of all types that
// have it. kInvalidArgument: the trait is not of this repository.
[[nodiscard]] Result<void> add_tied_rust_methods(const indexer::Snapshot& snapshot,
                                                 std::vector<indexer::Symbol>& methods);

}  // namespace ambit::daemon
