// The model for something that somebody asked for: woken, waited for, and known to be able to.
#pragma once

#include "daemon/handlers/features.h"

namespace ambit::daemon {

// Starts the model when it is cold and waits until it is ready or cannot be (two minutes, the stop
// token). kUnavailable: there is none; kCancelled. Worker threads.
[[nodiscard]] Result<void> wait_for_model(FeatureRun& run);

// The repository of a document is read, so that the model sees what belongs to it. A minute is
// waited at most; a document outside of every repository needs nothing. Worker threads.
[[nodiscard]] Result<void> wait_for_index(FeatureRun& run, const std::string& uri);

// Everything that an assist needs for a file of this window, with progress going to the editor.
[[nodiscard]] Result<AssistContext> context_of(FeatureRun& run, const std::string& path);

}  // namespace ambit::daemon
