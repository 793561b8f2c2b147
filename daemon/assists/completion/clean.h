// From what the model wrote to what a person should see. Model output is untrusted: it runs on past
// the end of the thought, repeats what follows the cursor, closes brackets that are closed already,
// starts with blank lines and indents by its own taste.
//
// Pure functions of the text around the cursor: no model, no protocol.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/completion/brackets.h"

namespace ambit::daemon {

struct Cleaned {
  std::string text;         // what to insert at the cursor; empty: nothing is worth showing
  bool complete = false;    // more tokens cannot change `text`: stop generating
  std::string_view reason;  // why text is empty; static text
};

class Cleaner {
 public:
  struct Options {
    std::size_t max_lines = 16;
  };

  // `before` and `after` are the whole text around the cursor, with \n line ends. They are looked
  // at here only.
  Cleaner(std::string_view path, std::string_view before, std::string_view after, Options options);

  // `raw`: everything that the model wrote so far. `ended`: the model stopped by itself; `cut`: it
  // ran into a limit, so that its last line may be half a line.
  [[nodiscard]] Cleaned clean(std::string_view raw, bool ended, bool cut = false) const;

  // The text after the cursor on its line makes a completion of more than one line wrong.
  [[nodiscard]] bool single_line() const { return single_line_; }

 private:
  [[nodiscard]] std::string trim_start(std::string_view raw) const;
  [[nodiscard]] std::string fix_indentation(std::string_view text) const;
  // Length of `text` up to the first closer that has no opener left to close; npos when none.
  [[nodiscard]] std::size_t surplus_closer(std::string_view text) const;
  [[nodiscard]] bool repeats_suffix(std::string_view line) const;

  LexicalRules rules_;
  Options options_;
  std::string line_before_;             // the cursor's line up to the cursor
  std::string line_after_;              // and the rest of it
  std::string previous_line_;           // last line above that is not blank
  std::vector<std::string> following_;  // the next lines that are not blank, at most 3
  std::string closable_;                // openers before the cursor that nothing after it closes
  std::optional<OpenComment> comment_;  // that the cursor stands in
  std::size_t base_indent_ = 0;         // columns
  bool single_line_ = false;
  bool file_uses_tabs_ = false;
  std::size_t file_indent_ = 4;  // columns of one level
};

}  // namespace ambit::daemon
