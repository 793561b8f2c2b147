// Items that were shown, kept while their text is typed: the next keystroke is answered from here,
// without the model. One per document and window; one strand.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ambit::daemon {

class TypeThrough {
 public:
  struct Hit {
    std::string rest;               // still to be inserted at the cursor; never empty
    std::size_t replace_after = 0;  // bytes behind the cursor that `rest` contains: closers that
                                    // the editor added by itself while the item was typed
  };

  // `text` was offered at `cursor` of `document`.
  void add(std::shared_ptr<const std::string> document, std::size_t cursor, std::string text);
  // What is left of an item for this state of the document: everything before and after is as it
  // was, and what was typed since is how the item begins. Deleting back to before the item's cursor
  // is a miss unless the deleted text stands in the item's line.
  [[nodiscard]] std::optional<Hit> find(std::string_view document, std::size_t cursor) const;
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    std::shared_ptr<const std::string> document;
    std::size_t line_start = 0, cursor = 0;
    std::string full;  // from line_start: the line up to the cursor, then the item
  };
  static constexpr std::size_t kKept = 4;
  std::deque<Entry> entries_;  // newest first
};

}  // namespace ambit::daemon
