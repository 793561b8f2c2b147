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
    // As many of the item's lines as may be shown; a block that they begin is closed.
    std::string text;
    std::string_view reason;  // why there are none; static text
  };
  // `logprob`: mean per token. Not thread-safe; parses the file a few times: milliseconds.
  [[nodiscard]] Verdict check(std::string_view item, double logprob);

 private:
  [[nodiscard]] std::size_t errors_with(std::string_view item) const;
  // What closes the brackets that the item opened, each behind the indentation of its line.
  [[nodiscard]] std::string closers_of(std::string_view item) const;
  [[nodiscard]] bool calls_the_unknown(std::string_view item) const;

  const std::shared_ptr<const indexer::Snapshot> snapshot_;
  const std::string path_, before_, after_;
  std::optional<std::size_t> errors_before_;
};

}  // namespace ambit::daemon
