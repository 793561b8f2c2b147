// Items that were shown, kept while their text is typed, and items that were made ahead for what
// may be typed: the next keystroke is answered from here, without the model. One per document and
// window; one strand.
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
    bool first = false;             // of an item that was made ahead, not shown before
  };

  // `text` was offered at `cursor` of `document`; ahead: will be once the document is so.
  void add(std::shared_ptr<const std::string> document, std::size_t cursor, std::string text,
           bool ahead = false);
  // What is left of an item for this state of the document: everything before and after is as it
  // was, and what was typed since is how the item begins. Deleting back to before the item's cursor
  // is a miss unless the deleted text stands in the item's line. What is shown stays as long as it
  // agrees: an item made ahead is for its own state of the document and what is typed on from
  // there.
  [[nodiscard]] std::optional<Hit> find(std::string_view document, std::size_t cursor);
  void clear() { shown_.clear(), ahead_.clear(); }

 private:
  struct Entry {
    std::shared_ptr<const std::string> document;
    std::size_t line_start = 0, cursor = 0;
    std::string full;  // from line_start: the line up to the cursor, then the item
  };
  static std::optional<Hit> match(const Entry& entry, std::string_view document,
                                  std::size_t cursor);
  static constexpr std::size_t kKept = 4, kKeptAhead = 10;
  std::deque<Entry> shown_, ahead_;  // newest first
};

}  // namespace ambit::daemon
