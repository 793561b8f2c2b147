// Ghost text where the repository memory leads: from a cursor to items that were cleaned and
// checked, and ahead of the typing what the next keys would be answered with. Where the memory has
// nothing to show, a small model of this machine says how the line goes on (model_line.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/assists/completion/completion.h"

namespace ambit::daemon {

// Called on a cpu thread, for milliseconds; `done` there or on the model's thread, once.
void complete_leading(const std::shared_ptr<const AssistContext>& context,
                      const CompletionRequest& request,
                      std::function<void(CompletionOutcome)> done);

// An item for a state of the document that is not there yet.
struct AheadItem {
  std::shared_ptr<const std::string> text;
  std::size_t cursor = 0;
  std::string item;
};
struct Ahead {
  std::function<void(AheadItem)> add;               // any thread; must only post
  std::function<void(std::function<void()>)> work;  // runs a function on a cpu thread
};
// After `shown` (empty: nothing) was offered for the request: items for the keys that are likely
// next and do not agree with it, and for what follows it once it was typed or accepted. Each is
// what a request for that state would be answered with. Ends early when the context is stopped.
void complete_ahead(std::shared_ptr<const AssistContext> context, CompletionRequest request,
                    std::string shown, Ahead ahead);

}  // namespace ambit::daemon
