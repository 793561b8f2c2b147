// Changes of a work tree that happen as a whole or not at all, and can be taken back.
//
// One folder per repository below the state directory (owner only): an entry per change, each with
// entry.json (what, and how far it got) and data (the bytes before and after). The order of an
// apply, with what recover() makes of a process that dies there:
//
//   1 data and entry.json in state "prepared"                     the tree as before
//   2 a synced temporary file beside every file to be written     … which are removed
//   3 entry.json in state "applying"                              from here on: the tree as after
//   4 one rename per file, folders synced
//   5 entry.json in state "applied"
//
// When a file is neither as before nor as after (the user was quicker than the recovery), the rest
// is taken back and the user's file keeps what the user changed ("rolling back"). Every command
// that looks at a journal recovers first; a guard (journal_guard.h) does so as soon as the process
// that applies is dead, so that a tree stays between before and after only when both are killed, or
// the machine stops.
//
// Who reads the tree between 3 and 5 sees each file whole, as before or as after, and more and more
// of them as after, in the order of their paths; and the temporary files from 2 until then, named
// .ambit-*.tmp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/assists/refactor/edits.h"
#include "daemon/assists/refactor/work_tree.h"

namespace ambit::daemon {

struct JournalFile {
  std::string path;
  std::optional<std::string> before, after;
  unsigned before_mode = 0, after_mode = 0;
  bool in_editor = false;  // changed in an open buffer, not on disk
  std::string temporary;
};

enum class EntryState { kPrepared, kApplying, kApplied, kRollingBack, kRolledBack };

struct JournalEntry {
  std::string id;            // sorts by time
  std::string plan;          // the plan that it carried out, "" when none
  std::string title;         // the instruction
  std::string undoes;        // the entry that it takes back, "" when none
  bool part = false;         // only some hunks of that
  std::int64_t created = 0;  // seconds since 1970
  EntryState state = EntryState::kPrepared;
  std::vector<JournalFile> files;    // contents only from Journal::entry()
  std::vector<std::string> folders;  // made by it, outermost first
};

struct ApplyRequest {
  std::string title, plan, undoes;
  bool part = false;  // of what it undoes, some hunks only
  // These paths are open in the editor: `editor` changes them, and the disk stays as it is. Called
  // once, when everything else that can fail has been done; an error takes all back.
  std::set<std::string> in_editor;
  std::function<Result<void>(const std::vector<FileChange>&)> editor;
  // Removed when they are empty afterwards, innermost last: what an undone change had made.
  std::vector<std::string> folders;
};

class Journal {
 public:
  // `point`: see WorkTree. state: usually state_directory().
  [[nodiscard]] static Result<Journal> open(const std::filesystem::path& root,
                                            const std::filesystem::path& state,
                                            DiskPoint point = {});

  // From here on applies are watched over by a process of this program (journal_guard.h).
  void guard_with(std::filesystem::path program) { guard_ = std::move(program); }

  // Finishes or takes back what a dead process left; one line for a person per entry.
  [[nodiscard]] Result<std::vector<std::string>> recover();

  // The id of the new entry. kInvalidArgument, with nothing changed, when a file is not what the
  // change starts from; kPermission for links and paths outside.
  [[nodiscard]] Result<std::string> apply(const ChangeSet& changes, const ApplyRequest& request);

  // Newest first, without contents; at most `limit`.
  [[nodiscard]] Result<std::vector<JournalEntry>> list(std::size_t limit = 100) const;
  // By its id, or the newest applied one of that plan; "": the newest applied of which something
  // was not taken back. kNotFound; kCorrupt when the bytes on disk are not those that were written.
  [[nodiscard]] Result<JournalEntry> entry(const std::string& id) const;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] const WorkTree& tree() const { return tree_; }

 private:
  Journal(WorkTree tree, std::filesystem::path folder, DiskPoint point)
      : tree_(std::move(tree)), folder_(std::move(folder)), point_(std::move(point)) {}
  [[nodiscard]] std::vector<std::string> ids() const;  // newest first
  [[nodiscard]] Result<void> save(const JournalEntry& entry);
  [[nodiscard]] Result<JournalEntry> load(const std::string& id, bool contents) const;
  [[nodiscard]] Result<void> finish(JournalEntry& entry, const std::vector<FileState>* expected);
  [[nodiscard]] Result<std::string> roll_back(JournalEntry& entry);
  [[nodiscard]] Result<std::vector<std::string>> recover_locked();
  void forget(const JournalEntry& entry);
  void prune();
  [[nodiscard]] std::filesystem::path entry_folder(const std::string& id) const;

  WorkTree tree_;
  std::filesystem::path folder_;
  DiskPoint point_;
  std::filesystem::path guard_;
};

// Every journal below `state`: what the start of the daemon puts right. One line for a person per
// entry; a tree that is gone or cannot be read is skipped.
[[nodiscard]] std::vector<std::string> recover_all(const std::filesystem::path& state);

// Taking an entry back as it is possible now.
struct Undo {
  ChangeSet changes;
  struct Conflict {
    std::string path;
    std::uint32_t line = 0;  // 0-based, in the file as it will be
    std::string reason;
  };
  std::vector<Conflict> conflicts;  // what stays as the user has it
  std::size_t hunks = 0;            // taken back
  std::size_t already = 0;          // that were gone before
};
// One change of an entry, as `show` numbers it from 1.
struct EntryHunk {
  std::string path;
  std::uint32_t line = 0;  // 0-based, in the text after
  std::string removed, added;
};
[[nodiscard]] Result<std::vector<EntryHunk>> hunks_of(const JournalEntry& entry);
// current: the text of a path as the user has it now (buffer before disk), nullopt when there is no
// such file. hunks: only these numbers; empty: all. kInvalidArgument for a number too high.
[[nodiscard]] Result<Undo> plan_undo(
    const JournalEntry& entry,
    const std::function<Result<std::optional<std::string>>(const std::string&)>& current,
    const std::set<std::size_t>& hunks = {});

}  // namespace ambit::daemon
