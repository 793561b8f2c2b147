// What becomes of an entry whose process died: journal.h says which way each goes.
#include <algorithm>

#include "daemon/assists/refactor/journal_entry.h"
#include "daemon/assists/refactor/merge.h"
#include "daemon/support/file.h"

namespace ambit::daemon {

namespace fs = std::filesystem;

// Takes back what is done of an entry; a file that somebody else changed meanwhile loses our part
// only. Returns what a person should know, "" when all is as before.
Result<std::string> Journal::roll_back(JournalEntry& e) {
  const bool visible = e.state != EntryState::kPrepared;
  if (visible) {
    e.state = EntryState::kRollingBack;
    AMBIT_CHECK_OK(save(e));
  }
  std::string kept;
  for (const auto& f : e.files) {
    if (f.in_editor) continue;
    if (visible) {
      AMBIT_TRY(state, tree_.look(f.path));
      std::optional<std::string> now;
      if (state.kind == FileState::kRegular) {
        AMBIT_TRY(text, tree_.read(f.path));
        now = std::move(text);
      }
      if (now != f.before) {
        std::optional<std::string> target = f.before;
        if (now != f.after) {
          target = now;
          if (now && f.before && f.after) {
            AMBIT_TRY(merged, merge_back(*f.after, *f.before, *now));
            target = std::move(merged.text);
          }
          kept += (kept.empty() ? "" : ", ") + f.path;
        }
        if (target != now && target) {
          const auto temporary = f.temporary.empty()
                                     ? WorkTree::beside(f.path, ".ambit-" + e.id + ".tmp")
                                     : f.temporary;
          AMBIT_CHECK_OK(
              tree_.write(temporary, *target, f.before ? f.before_mode : state.mode, f.path));
          AMBIT_CHECK_OK(tree_.move(temporary, f.path, false));
        } else if (target != now) {
          AMBIT_CHECK_OK(tree_.remove(f.path));
        }
      }
    }
    if (!f.temporary.empty()) AMBIT_CHECK_OK(tree_.remove(f.temporary));
  }
  for (auto d = e.folders.rbegin(); d != e.folders.rend(); ++d) tree_.remove_folder(*d);
  if (visible) {
    e.state = EntryState::kRolledBack;
    AMBIT_CHECK_OK(save(e));
  }
  return kept;
}

Result<std::vector<std::string>> Journal::recover() {
  AMBIT_TRY(lock, JournalLock::take(folder_));
  return recover_locked();
}

Result<std::vector<std::string>> Journal::recover_locked() {
  std::vector<std::string> said;
  std::vector<std::string> ids;
  std::error_code ec;
  for (fs::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    if (is_entry_id(it->path().filename().string())) ids.push_back(it->path().filename().string());
  }
  std::sort(ids.begin(), ids.end());
  for (const auto& id : ids) {
    auto head = load(id, false);
    if (!head) {
      // Died before entry.json stood: nothing of it reached the tree. A damaged one stays.
      if (!fs::exists(entry_folder(id) / "entry.json", ec)) fs::remove_all(entry_folder(id), ec);
      continue;
    }
    if (head->state == EntryState::kApplied || head->state == EntryState::kRolledBack) continue;
    auto loaded = load(id, true);
    if (!loaded) {
      said.push_back(loaded.error().message);
      continue;
    }
    auto& e = *loaded;
    if (e.state == EntryState::kPrepared) {
      AMBIT_TRY(kept, roll_back(e));
      forget(e);
      said.push_back("took back '" + e.title + "', which was interrupted before it began");
      continue;
    }
    bool forward = e.state == EntryState::kApplying;
    std::vector<bool> pending(e.files.size());
    for (std::size_t i = 0; i < e.files.size() && forward; ++i) {
      const auto& f = e.files[i];
      if (f.in_editor) continue;
      AMBIT_TRY(state, tree_.look(f.path));
      std::optional<std::string> now;
      if (state.kind == FileState::kRegular) {
        AMBIT_TRY(text, tree_.read(f.path));
        now = std::move(text);
      }
      if (now == f.after) continue;
      pending[i] = now == f.before && state.kind != FileState::kLink;
      forward = pending[i];
    }
    if (!forward) {
      AMBIT_TRY(kept, roll_back(e));
      said.push_back("took back '" + e.title + "', which was interrupted" +
                     (kept.empty() ? "" : "; changed since and kept: " + kept));
      continue;
    }
    for (std::size_t i = 0; i < e.files.size(); ++i) {
      const auto& f = e.files[i];
      if (pending[i]) {
        if (f.after) {
          std::vector<std::string> made;
          AMBIT_CHECK_OK(tree_.make_folders(f.path, made));
          AMBIT_CHECK_OK(
              tree_.write(f.temporary, *f.after, f.after_mode, f.before ? f.path : std::string()));
          AMBIT_CHECK_OK(tree_.move(f.temporary, f.path, !f.before));
        } else {
          AMBIT_CHECK_OK(tree_.remove(f.path));
        }
        AMBIT_CHECK_OK(tree_.sync_folder_of(f.path));
      } else if (!f.temporary.empty()) {
        AMBIT_CHECK_OK(tree_.remove(f.temporary));
      }
    }
    e.state = EntryState::kApplied;
    AMBIT_CHECK_OK(save(e));
    said.push_back("finished '" + e.title + "', which was interrupted");
  }
  return said;
}

std::vector<std::string> recover_all(const fs::path& state) {
  std::vector<std::string> said;
  std::error_code ec;
  for (fs::directory_iterator it(state / "undo", ec), end; !ec && it != end; it.increment(ec)) {
    // Any entry names the tree.
    std::error_code inner;
    for (fs::directory_iterator e(it->path(), inner), stop; !inner && e != stop;
         e.increment(inner)) {
      const auto text = read_file(e->path() / "entry.json", std::uint64_t{64} << 20);
      if (!text) continue;
      const auto root = root_of_entry(*text);
      if (root.empty()) continue;
      auto journal = Journal::open(root, state);
      if (!journal || journal->folder() != it->path()) break;
      if (auto lines = journal->recover()) {
        for (auto& line : *lines) said.push_back(root.string() + ": " + line);
      }
      break;
    }
  }
  return said;
}

}  // namespace ambit::daemon
