// Go's interfaces are implemented without a word: a type that has all methods of one is one. A
// method therefore shares its name, and what it takes, with other types and interfaces.
#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "indexer/index.h"

namespace ambit::daemon {

// Adds the methods that have to change together with these, which all have one name, to them: those
// of interfaces that their types are, and those of the other types that are such an interface. Each
// comes with a line in `notes`; `owners` gets the names of all types that have it, also by what
// they embed. kInvalidArgument: an interface outside of the repository (sort.Interface,
// fmt.Stringer, one that the code asserts) asks for one of them. What is passed to code outside
// without a word of it cannot be seen.
[[nodiscard]] Result<void> add_tied_go_methods(const indexer::Snapshot& snapshot,
                                               std::vector<indexer::Symbol>& methods,
                                               std::set<std::string>& owners,
                                               std::vector<std::string>& notes,
                                               std::stop_token stop);

}  // namespace ambit::daemon
