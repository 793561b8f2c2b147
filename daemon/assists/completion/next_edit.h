// What an edit by hand leaves to do. A definition was renamed: the other places still say the old
// name. A parameter came, went or got another name: calls and other declarations have the old list
// (signature_change.h). Offered as ghost text on the lines that do, and as one code action for all
// of them; nothing is guessed by a model.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/assists/completion/signature_change.h"
#include "indexer/index.h"

namespace ambit::daemon {

struct HandRename {
  std::string from, to;
  indexer::Symbol definition;  // as it was saved
};

// The definitions of `path` that were renamed between two snapshots of it: same kind, same place
// among the definitions that stayed, and no doubt which is which. At most three; more at once is
// another file, not an edit.
[[nodiscard]] std::vector<HandRename> find_renames(const indexer::Snapshot& saved,
                                                   const indexer::Snapshot& now,
                                                   const std::string& path);

struct Use {
  std::string path;
  indexer::ByteSpan span;  // of the name, in the text that `now` has
};

// Where `now` still says the saved name and means this definition of `path`: in its own file by
// name, elsewhere by what `saved` resolves, declarations of it included. By path and place; at most
// `limit`.
[[nodiscard]] std::vector<Use> uses_of(const indexer::Snapshot& saved, const indexer::Snapshot& now,
                                       const std::string& path, const indexer::Symbol& definition,
                                       const std::string& name, std::size_t limit);

using HandEdit = std::variant<HandRename, SignatureChange>;

[[nodiscard]] std::vector<HandEdit> find_hand_edits(const indexer::Snapshot& saved,
                                                    const indexer::Snapshot& now,
                                                    const std::string& path);
// What one says to do, for the title of an action: "rename the other uses of X to Y".
[[nodiscard]] std::string describe(const HandEdit& edit);
// By path and place; at most `limit`.
[[nodiscard]] std::vector<PlaceEdit> what_follows(const indexer::Snapshot& saved,
                                                  const indexer::Snapshot& now,
                                                  const std::string& path, const HandEdit& edit,
                                                  std::size_t limit);

struct LineEdit {
  std::string rest;          // instead of what stands between the cursor and the line's end
  std::size_t replaced = 0;  // bytes of that
};

// The cursor's line as it has to be now, when something behind the cursor has not followed an edit
// by hand of this file or of another open one.
[[nodiscard]] std::optional<LineEdit> next_edit(const indexer::Snapshot& saved,
                                                const indexer::Snapshot& now,
                                                const std::string& path,
                                                const std::vector<std::string>& open_files,
                                                std::string_view text, std::size_t cursor);

}  // namespace ambit::daemon
