// Ghost text where the repository memory leads: from a cursor to items that were cleaned and
// checked, and ahead of the typing what the next keys would be answered with. On a cpu thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/assists/completion/clean.h"
#include "daemon/assists/completion/completion.h"

namespace ambit::daemon {

// before, after: with \n line ends.
[[nodiscard]] CompletionOutcome complete_from_memory(const AssistContext& context,
                                                     const CompletionRequest& request,
                                                     std::string_view before,
                                                     std::string_view after, const Cleaner& cleaner,
                                                     std::size_t max_lines);

// An item for a state of the document that is not there yet.
struct AheadItem {
  std::shared_ptr<const std::string> text;
  std::size_t cursor = 0;
  std::string item;
};
// After `shown` (empty: nothing) was offered for the request: items for the keys that are likely
// next and do not agree with it, and for what follows it once it was typed or accepted. Each is
// what a request for that state would be answered with. Ends early when the context is stopped.
void complete_ahead(const AssistContext& context, const CompletionRequest& request,
                    std::string_view shown, const std::function<void(AheadItem)>& add);

}  // namespace ambit::daemon
