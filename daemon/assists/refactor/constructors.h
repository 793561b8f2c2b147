// Who makes an object, and with what arguments: the uses of a constructor stand where its class is
// named.
#pragma once

#include <stop_token>
#include <vector>

#include "daemon/assists/refactor/rename.h"

namespace ambit::daemon {

[[nodiscard]] bool is_constructor(const indexer::Symbol& symbol);

// The declarations and calls of a constructor, as plan_rename() says those of a function. Python,
// JavaScript, TypeScript and Java; kInvalidArgument, with the place, where who calls it is not
// known: a class that inherits it, a class that is passed on as a value, several constructors. Of
// other languages the declarations alone, and only when `calls_stay` (a parameter with a default):
// C++ makes objects in ways that name no class.
[[nodiscard]] Result<Rename> constructor_uses(const indexer::Snapshot& snapshot,
                                              const std::vector<indexer::Symbol>& constructors,
                                              bool calls_stay, std::stop_token stop);

}  // namespace ambit::daemon
