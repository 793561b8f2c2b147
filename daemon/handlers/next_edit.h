// The code action for what a rename by hand left behind (assists/completion/next_edit.h).
#pragma once

#include "daemon/handlers/features.h"

namespace ambit::daemon {

// "rename the other uses of X to Y": by the index, no model; offered when somebody asks, in a file
// with unsaved changes that renamed something.
[[nodiscard]] ActionProvider next_edit_actions();

}  // namespace ambit::daemon
