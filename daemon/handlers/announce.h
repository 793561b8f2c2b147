// What an editor shows about the daemon without being asked: a line in its status bar, and a bar
// while a repository is indexed for the first time.
//
// The line is the notification `ambit/status` and goes only to clients that say
// `experimental.ambitStatus` in their capabilities; the bar is ordinary work-done progress.
#pragma once

#include "daemon/session/session.h"

namespace ambit::daemon {

// Sends what has changed since the last time. Strand only, cheap.
void announce_state(Session& session, const inference::BackendInfo& model);

}  // namespace ambit::daemon
