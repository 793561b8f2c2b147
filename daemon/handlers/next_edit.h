// The code actions for what a rename or a changed signature left behind
// (assists/completion/next_edit.h).
#pragma once

#include "daemon/handlers/features.h"

namespace ambit::daemon {

// "rename the other uses of X to Y", "pass C to F everywhere": by the index, no model; offered
// when somebody asks, in a file with unsaved changes that did such a thing.
[[nodiscard]] ActionProvider next_edit_actions();

}  // namespace ambit::daemon
