// The last look at a whole item, with the index at hand: it must leave no more grammar errors in
// the file than there were, and an unsure one must not call what exists nowhere.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "indexer/index.h"

namespace ambit::daemon {

class ItemCheck {
 public:
  // `before`, `after`: the whole file around the cursor.
  ItemCheck(std::shared_ptr<const indexer::Snapshot> snapshot, std::string path, std::string before,
            std::string after);

  struct Verdict {
    std::string text;         // as many of the item's lines as may be shown
    std::string_view reason;  // why there are none; static text
  };
  // `logprob`: mean per token. Not thread-safe; parses the file a few times: milliseconds.
  [[nodiscard]] Verdict check(std::string_view item, double logprob);

 private:
  [[nodiscard]] std::size_t errors_with(std::string_view item) const;
  // A block that was begun is no error: what a person, or an editor, types to end what the item
  // opened.
  [[nodiscard]] std::string what_comes_next(std::string_view item) const;
  [[nodiscard]] bool calls_the_unknown(std::string_view item) const;

  const std::shared_ptr<const indexer::Snapshot> snapshot_;
  const std::string path_, before_, after_;
  std::optional<std::size_t> errors_before_;
};

}  // namespace ambit::daemon
