// What a rename by hand leaves to do: where a definition of the saved file is gone and one of
// another name stands in its place, the other places still say the old name. Offered as ghost text
// on the lines that do, and as one code action for all of them; nothing is guessed by a model.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/index.h"

namespace ambit::daemon {

struct Rename {
  std::string from, to;
  indexer::Symbol definition;  // as it was saved
};

// The definitions of `path` that were renamed between two snapshots of it: same kind, same place
// among the definitions that stayed, and no doubt which is which. At most three; more at once is
// another file, not an edit.
[[nodiscard]] std::vector<Rename> find_renames(const indexer::Snapshot& saved,
                                               const indexer::Snapshot& now,
                                               const std::string& path);

struct FollowUp {
  std::string path;
  indexer::ByteSpan span;  // of the old name, in the text that `now` has
};

// Where `now` still says the old name and means this definition: in its own file by name, elsewhere
// by what `saved` resolves. By path and place; at most `limit`.
[[nodiscard]] std::vector<FollowUp> follow_ups(const indexer::Snapshot& saved,
                                               const indexer::Snapshot& now,
                                               const std::string& path, const Rename& rename,
                                               std::size_t limit);

struct LineEdit {
  std::string rest;          // instead of what stands between the cursor and the line's end
  std::size_t replaced = 0;  // bytes of that
  std::string from, to;      // the names
};

// The cursor's line with the new name, when it still says the old one behind the cursor.
[[nodiscard]] std::optional<LineEdit> next_edit(const indexer::Snapshot& saved,
                                                const indexer::Snapshot& now,
                                                const std::string& path, std::string_view text,
                                                std::size_t cursor);

}  // namespace ambit::daemon
