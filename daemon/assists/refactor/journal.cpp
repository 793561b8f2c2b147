#include "daemon/assists/refactor/journal.h"

#include <algorithm>
#include <ctime>

#include "daemon/assists/refactor/journal_entry.h"
#include "daemon/assists/refactor/journal_guard.h"
#include "daemon/support/file.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kKeepEntries = 200;
constexpr std::uint64_t kKeepBytes = std::uint64_t{512} << 20;
constexpr std::uint64_t kMaxEntryBytes = std::uint64_t{1} << 30;

}  // namespace

Result<Journal> Journal::open(const fs::path& root, const fs::path& state, DiskPoint point) {
  std::error_code ec;
  const auto real = fs::canonical(root, ec);
  if (ec) return make_error(Code::kNotFound, "there is no folder " + root.string());
  AMBIT_TRY(tree, WorkTree::open(real, point));
  auto& files = file_system();
  AMBIT_CHECK_OK(files.make_private_directory(state));
  AMBIT_CHECK_OK(files.make_private_directory(state / "undo"));
  const auto folder = state / "undo" / indexer::hash_blob(real.string()).hex().substr(0, 16);
  AMBIT_CHECK_OK(files.make_private_directory(folder));
  return Journal(std::move(tree), folder, std::move(point));
}

fs::path Journal::entry_folder(const std::string& id) const {
  return folder_ / id;
}

Result<void> Journal::save(const JournalEntry& e) {
  if (point_) AMBIT_CHECK_OK(point_("journal"));
  AMBIT_CHECK_OK(
      file_system().replace(entry_folder(e.id) / "entry.json", entry_text(e, tree_.root()), 0600));
  if (point_) AMBIT_CHECK_OK(point_("journalled"));
  return {};
}

Result<JournalEntry> Journal::load(const std::string& id, bool contents) const {
  if (!is_entry_id(id)) {
    return make_error(Code::kNotFound, "there is no journal entry '" + id + "'");
  }
  auto text = read_file(entry_folder(id) / "entry.json", std::uint64_t{64} << 20);
  if (!text) return make_error(Code::kNotFound, "there is no journal entry " + id);
  if (!contents) return parse_entry(id, *text, nullptr);
  AMBIT_TRY(data, read_file(entry_folder(id) / "data", kMaxEntryBytes));
  return parse_entry(id, *text, &data);
}

void Journal::forget(const JournalEntry& e) {
  std::error_code ec;
  // entry.json goes first: without it the folder is nothing but rubbish.
  fs::remove(entry_folder(e.id) / "entry.json", ec);
  fs::remove_all(entry_folder(e.id), ec);
}

Result<std::string> Journal::apply(const ChangeSet& changes, const ApplyRequest& request) {
  AMBIT_TRY(lock, JournalLock::take(folder_));
  AMBIT_TRY(recovered, recover_locked());
  JournalEntry e;
  const auto known = ids();
  e.id = new_entry_id(known.empty() ? "" : known.front());
  e.plan = request.plan;
  e.title = request.title;
  e.undoes = request.undoes;
  e.part = request.part;
  e.created = static_cast<std::int64_t>(std::time(nullptr));
  std::vector<FileState> expected;
  std::vector<FileChange> editor_changes;
  for (const auto& [path, change] : changes) {
    if (change.before == change.after) continue;
    AMBIT_CHECK_OK(check_path(path));
    JournalFile f;
    f.path = path;
    f.before = change.before;
    f.after = change.after;
    f.in_editor = request.in_editor.contains(path);
    AMBIT_TRY(state, tree_.look(path));
    if (state.kind == FileState::kLink || state.kind == FileState::kOther) {
      return make_error(Code::kPermission, path + " is not a regular file; it is not changed");
    }
    if (f.in_editor) {
      editor_changes.push_back(change);
    } else {
      // By another name: clang before 16 captures no structured binding.
      const auto stale = [&file = path] {
        return make_error(Code::kInvalidArgument,
                          file + " was changed since the plan was made; plan again");
      };
      if ((state.kind == FileState::kMissing) != !change.before.has_value()) return stale();
      if (change.before) {
        AMBIT_TRY(now, tree_.read(path));
        if (now != *change.before) return stale();
      }
    }
    f.before_mode = state.mode;
    f.after_mode = state.kind == FileState::kRegular ? state.mode : change.mode;
    if (state.kind == FileState::kMissing && !change.like.empty()) {
      AMBIT_TRY(like, tree_.look(change.like));
      if (like.kind == FileState::kRegular) f.after_mode = like.mode;
    }
    if (f.after && !f.in_editor) {
      f.temporary =
          WorkTree::beside(path, ".ambit-" + e.id + "-" + std::to_string(e.files.size()) + ".tmp");
    }
    expected.push_back(state);
    e.files.push_back(std::move(f));
  }
  if (e.files.empty()) return make_error(Code::kInvalidArgument, "there is nothing to change");
  const auto data = entry_data(e);
  if (data.size() > kMaxEntryBytes) {
    return make_error(Code::kResourceExhausted, "the change is larger than the journal takes");
  }
  // Folders that will be missing are known before any is made, so that a recovery finds them.
  for (const auto& f : e.files) {
    if (!f.after || f.in_editor) continue;
    for (auto slash = f.path.find('/'); slash != std::string::npos;
         slash = f.path.find('/', slash + 1)) {
      const auto above = f.path.substr(0, slash);
      AMBIT_TRY(state, tree_.look(above));
      if (state.kind == FileState::kMissing &&
          std::find(e.folders.begin(), e.folders.end(), above) == e.folders.end()) {
        e.folders.push_back(above);
      }
    }
  }
  const auto guard = guard_.empty() ? std::nullopt
                                    : JournalGuard::start(guard_, tree_.root(),
                                                          folder_.parent_path().parent_path());
  if (point_) AMBIT_CHECK_OK(point_("journal folder"));
  AMBIT_CHECK_OK(file_system().make_private_directory(entry_folder(e.id)));
  auto done = [&]() -> Result<void> {
    if (point_) AMBIT_CHECK_OK(point_("journal data"));
    AMBIT_CHECK_OK(file_system().replace(entry_folder(e.id) / "data", data, 0600));
    AMBIT_CHECK_OK(save(e));
    std::vector<std::string> made;
    for (const auto& f : e.files) {
      if (!f.after || f.in_editor) continue;
      AMBIT_CHECK_OK(tree_.make_folders(f.path, made));
      AMBIT_CHECK_OK(
          tree_.write(f.temporary, *f.after, f.after_mode, f.before ? f.path : std::string()));
    }
    if (request.editor && !editor_changes.empty()) {
      AMBIT_CHECK_OK(request.editor(editor_changes));
    }
    return {};
  }();
  if (done) {
    e.state = EntryState::kApplying;
    done = save(e);
  }
  if (done) done = finish(e, &expected);
  if (!done) {
    // Back to before, whatever had been done.
    const auto reason = done.error();
    auto back = roll_back(e);
    if (!back) return back.error();
    forget(e);
    return reason;
  }
  for (auto d = request.folders.rbegin(); d != request.folders.rend(); ++d) {
    tree_.remove_folder(*d);
  }
  prune();
  return e.id;
}

// Renames what is not in place yet. `expected`: how the files looked when they were compared; a
// file that was touched since stops everything.
Result<void> Journal::finish(JournalEntry& e, const std::vector<FileState>* expected) {
  for (std::size_t i = 0; i < e.files.size(); ++i) {
    const auto& f = e.files[i];
    if (f.in_editor) continue;
    if (expected != nullptr) {
      AMBIT_TRY(now, tree_.look(f.path));
      if (!(now == (*expected)[i])) {
        return make_error(Code::kInvalidArgument,
                          f.path +
                              " was changed while the refactor was applied; nothing is kept "
                              "of it, plan again");
      }
    }
    if (f.after) {
      AMBIT_CHECK_OK(tree_.move(f.temporary, f.path, !f.before));
    } else {
      AMBIT_CHECK_OK(tree_.remove(f.path));
    }
  }
  std::set<std::string> synced;
  for (const auto& f : e.files) {
    if (f.in_editor || !synced.insert(WorkTree::beside(f.path, "")).second) continue;
    AMBIT_CHECK_OK(tree_.sync_folder_of(f.path));
  }
  e.state = EntryState::kApplied;
  return save(e);
}

std::vector<std::string> Journal::ids() const {
  std::vector<std::string> out;
  std::error_code ec;
  for (fs::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    if (is_entry_id(it->path().filename().string())) out.push_back(it->path().filename().string());
  }
  std::sort(out.rbegin(), out.rend());
  return out;
}

Result<std::vector<JournalEntry>> Journal::list(std::size_t limit) const {
  std::vector<JournalEntry> out;
  for (const auto& id : ids()) {
    if (out.size() >= limit) break;
    if (auto e = load(id, false)) out.push_back(std::move(*e));
  }
  return out;
}

Result<JournalEntry> Journal::entry(const std::string& id) const {
  if (is_entry_id(id) && id.size() > 16) {
    if (auto e = load(id, true)) return e;
  }
  AMBIT_TRY(all, list(kKeepEntries));
  std::set<std::string> undone;
  for (const auto& e : all) {
    if (e.state != EntryState::kApplied) continue;
    if (id.empty()) {
      if (!e.undoes.empty()) {
        if (!e.part) undone.insert(e.undoes);
        continue;
      }
      if (!undone.contains(e.id)) return load(e.id, true);
    } else if (e.plan == id && e.undoes.empty()) {
      return load(e.id, true);
    }
  }
  return make_error(Code::kNotFound, id.empty() ? "there is nothing to undo in this repository"
                                                : "nothing was applied under the name '" + id +
                                                      "'; `ambit refactor list` shows what was");
}

// Old entries go when there are too many or too large ones; the newest always stays.
void Journal::prune() {
  std::vector<std::string> ids;
  std::error_code ec;
  for (fs::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    if (is_entry_id(it->path().filename().string())) ids.push_back(it->path().filename().string());
  }
  std::sort(ids.rbegin(), ids.rend());
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::error_code none;
    const auto size = fs::file_size(entry_folder(ids[i]) / "data", none);
    bytes += none ? 0 : size;
    if (i == 0 || (i < kKeepEntries && bytes <= kKeepBytes)) continue;
    const auto e = load(ids[i], false);
    if (e && (e->state == EntryState::kApplied || e->state == EntryState::kRolledBack)) forget(*e);
  }
}

}  // namespace ambit::daemon
