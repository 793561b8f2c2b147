// A recorded session once more: what the editor sent is sent again, to a server whose model says
// what it said then, and what comes back is compared.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/net/local_socket.h"
#include "daemon/record/backends.h"

namespace ambit::daemon {

struct ReplayReport {
  std::size_t from_editor = 0, answers = 0;
  std::vector<std::string> differences;  // one line each, for people; at most 100
  std::size_t different = 0;             // all of them
};

// Sends the editor's messages of `lines` over `daemon`, each when everything was answered that had
// been answered by then. `before_asking` is called once, before the first request about a document
// (an index that is there by then makes runs comparable). kTimeout when an answer does not come.
// Not compared: notifications, what depends on the moment (`ambit.status`), the words of errors.
[[nodiscard]] Result<ReplayReport> replay(const std::vector<nlohmann::json>& lines, int daemon,
                                          ReplayBackend& model,
                                          const std::function<void()>& before_asking);

}  // namespace ambit::daemon
