#include "daemon/assists/refactor/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <random>

#include "daemon/assists/refactor/journal_guard.h"
#include "daemon/assists/refactor/merge.h"
#include "daemon/support/file.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kKeepEntries = 200;
constexpr std::uint64_t kKeepBytes = std::uint64_t{512} << 20;
constexpr std::uint64_t kMaxEntryBytes = std::uint64_t{1} << 30;

constexpr std::array<std::pair<EntryState, const char*>, 5> kStates{
    {{EntryState::kPrepared, "prepared"},
     {EntryState::kApplying, "applying"},
     {EntryState::kApplied, "applied"},
     {EntryState::kRollingBack, "rolling back"},
     {EntryState::kRolledBack, "rolled back"}}};

// One process at a time changes a tree. Held by flock, so that it dies with its owner.
class Lock {
 public:
  static Result<Lock> take(const fs::path& folder) {
    Lock out;
    out.fd_ = ::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out.fd_ < 0) {
      return make_error(Code::kIo, "cannot open " + (folder / "lock").string());
    }
    while (::flock(out.fd_, LOCK_EX) != 0) {
      if (errno != EINTR) return make_error(Code::kIo, "cannot lock " + folder.string());
    }
    return out;
  }
  Lock(Lock&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  Lock() = default;
  int fd_ = -1;
};

std::string new_id() {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  const auto n = std::strftime(text.data(), text.size(), "%Y%m%d-%H%M%S", &utc);
  std::random_device random;
  std::snprintf(text.data() + n, text.size() - n, "%03d-%04x", static_cast<int>(ms),
                random() & 0xFFFFU);
  return text.data();
}

bool is_id(std::string_view id) {
  return !id.empty() && id.size() < 64 &&
         id.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

std::string hash_of(std::string_view content) {
  return indexer::hash_blob(content).hex();
}

json content_json(const std::optional<std::string>& content, std::uint64_t& offset) {
  if (!content) return nullptr;
  json out{{"offset", offset}, {"size", content->size()}, {"hash", hash_of(*content)}};
  offset += content->size();
  return out;
}

Error corrupt(const std::string& id) {
  return make_error(Code::kCorrupt, "the journal entry " + id + " is damaged; it cannot be used");
}

// A path made of bytes that are not UTF-8 still has to survive JSON.
std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    std::array<char, 3> two{};
    std::snprintf(two.data(), two.size(), "%02x", static_cast<unsigned char>(c));
    out += two.data();
  }
  return out;
}
std::string from_hex(std::string_view hex) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return out;
}
json bytes_json(const std::string& bytes) {
  json text = bytes;
  try {
    static_cast<void>(text.dump());
    return text;
  } catch (const json::exception&) {
    return json{{"hex", to_hex(bytes)}};
  }
}
std::string bytes_of(const json& value) {
  return value.is_object() ? from_hex(value.at("hex").get<std::string>())
                           : value.get<std::string>();
}

}  // namespace

Result<Journal> Journal::open(const fs::path& root, const fs::path& state, DiskPoint point) {
  std::error_code ec;
  const auto real = fs::canonical(root, ec);
  if (ec) return make_error(Code::kNotFound, "there is no folder " + root.string());
  AMBIT_TRY(tree, WorkTree::open(real, point));
  auto& files = file_system();
  AMBIT_CHECK_OK(files.make_private_directory(state));
  AMBIT_CHECK_OK(files.make_private_directory(state / "undo"));
  const auto folder = state / "undo" / hash_of(real.string()).substr(0, 16);
  AMBIT_CHECK_OK(files.make_private_directory(folder));
  return Journal(std::move(tree), folder, std::move(point));
}

fs::path Journal::entry_folder(const std::string& id) const {
  return folder_ / id;
}

Result<void> Journal::save(const JournalEntry& e) {
  json files = json::array();
  std::uint64_t offset = 0;
  for (const auto& f : e.files) {
    json one{{"path", bytes_json(f.path)}};
    one["before"] = content_json(f.before, offset);
    one["after"] = content_json(f.after, offset);
    one["before_mode"] = f.before_mode;
    one["after_mode"] = f.after_mode;
    one["in_editor"] = f.in_editor;
    one["temporary"] = bytes_json(f.temporary);
    files.push_back(std::move(one));
  }
  json folders = json::array();
  for (const auto& d : e.folders) folders.push_back(bytes_json(d));
  const auto state = std::find_if(kStates.begin(), kStates.end(),
                                  [&](const auto& s) { return s.first == e.state; });
  const json all{{"version", 1},
                 {"id", e.id},
                 {"root", bytes_json(tree_.root().string())},
                 {"plan", e.plan},
                 {"title", bytes_json(e.title)},
                 {"undoes", e.undoes},
                 {"created", e.created},
                 {"state", state->second},
                 {"files", std::move(files)},
                 {"folders", std::move(folders)}};
  if (point_) AMBIT_CHECK_OK(point_("journal"));
  AMBIT_CHECK_OK(file_system().replace(entry_folder(e.id) / "entry.json", all.dump(1), 0600));
  if (point_) AMBIT_CHECK_OK(point_("journalled"));
  return {};
}

Result<JournalEntry> Journal::load(const std::string& id, bool contents) const {
  if (!is_id(id)) return make_error(Code::kNotFound, "there is no journal entry '" + id + "'");
  auto text = read_file(entry_folder(id) / "entry.json", std::uint64_t{64} << 20);
  if (!text) return make_error(Code::kNotFound, "there is no journal entry " + id);
  JournalEntry out;
  try {
    const auto all = json::parse(*text);
    if (all.at("version") != 1) return corrupt(id);
    out.id = id;
    out.plan = all.at("plan");
    out.title = bytes_of(all.at("title"));
    out.undoes = all.at("undoes");
    out.created = all.at("created");
    const auto name = all.at("state").get<std::string>();
    const auto state = std::find_if(kStates.begin(), kStates.end(),
                                    [&](const auto& s) { return s.second == name; });
    if (state == kStates.end()) return corrupt(id);
    out.state = state->first;
    std::string data;
    if (contents) {
      AMBIT_TRY(bytes, read_file(entry_folder(id) / "data", kMaxEntryBytes));
      data = std::move(bytes);
    }
    bool sound = true;
    const auto content = [&](const json& c) -> std::optional<std::string> {
      if (c.is_null()) return std::nullopt;
      if (!contents) return std::string();
      const auto offset = c.at("offset").get<std::uint64_t>(),
                 size = c.at("size").get<std::uint64_t>();
      if (offset > data.size() || size > data.size() - offset) {
        sound = false;
        return std::nullopt;
      }
      auto bytes = data.substr(offset, size);
      sound = sound && hash_of(bytes) == c.at("hash").get<std::string>();
      return bytes;
    };
    for (const auto& f : all.at("files")) {
      JournalFile one;
      one.path = bytes_of(f.at("path"));
      one.before = content(f.at("before"));
      one.after = content(f.at("after"));
      one.before_mode = f.at("before_mode");
      one.after_mode = f.at("after_mode");
      one.in_editor = f.at("in_editor");
      one.temporary = bytes_of(f.at("temporary"));
      out.files.push_back(std::move(one));
    }
    for (const auto& d : all.at("folders")) out.folders.push_back(bytes_of(d));
    if (!sound) return corrupt(id);
  } catch (const json::exception&) {
    return corrupt(id);
  }
  return out;
}

void Journal::forget(const JournalEntry& e) {
  std::error_code ec;
  // entry.json goes first: without it the folder is nothing but rubbish.
  fs::remove(entry_folder(e.id) / "entry.json", ec);
  fs::remove_all(entry_folder(e.id), ec);
}

Result<std::string> Journal::apply(const ChangeSet& changes, const ApplyRequest& request) {
  AMBIT_TRY(lock, Lock::take(folder_));
  AMBIT_TRY(recovered, recover_locked());
  JournalEntry e;
  e.id = new_id();
  e.plan = request.plan;
  e.title = request.title;
  e.undoes = request.undoes;
  e.created = static_cast<std::int64_t>(std::time(nullptr));
  std::vector<FileState> expected;
  std::vector<FileChange> editor_changes;
  std::string data;
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
    data += f.before.value_or("");
    data += f.after.value_or("");
    expected.push_back(state);
    e.files.push_back(std::move(f));
  }
  if (e.files.empty()) return make_error(Code::kInvalidArgument, "there is nothing to change");
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
  AMBIT_TRY(lock, Lock::take(folder_));
  return recover_locked();
}

Result<std::vector<std::string>> Journal::recover_locked() {
  std::vector<std::string> said;
  std::vector<std::string> ids;
  std::error_code ec;
  for (fs::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    if (is_id(it->path().filename().string())) ids.push_back(it->path().filename().string());
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

Result<std::vector<JournalEntry>> Journal::list(std::size_t limit) const {
  std::vector<std::string> ids;
  std::error_code ec;
  for (fs::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    if (is_id(it->path().filename().string())) ids.push_back(it->path().filename().string());
  }
  std::sort(ids.rbegin(), ids.rend());
  std::vector<JournalEntry> out;
  for (const auto& id : ids) {
    if (out.size() >= limit) break;
    if (auto e = load(id, false)) out.push_back(std::move(*e));
  }
  return out;
}

Result<JournalEntry> Journal::entry(const std::string& id) const {
  if (is_id(id) && id.size() > 16) {
    if (auto e = load(id, true)) return e;
  }
  AMBIT_TRY(all, list(kKeepEntries));
  std::set<std::string> undone;
  for (const auto& e : all) {
    if (e.state != EntryState::kApplied) continue;
    if (id.empty()) {
      if (!e.undoes.empty()) {
        undone.insert(e.undoes);
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
      const auto head = json::parse(*text, nullptr, false);
      if (!head.is_object() || !head.contains("root")) continue;
      fs::path root;
      try {
        root = bytes_of(head["root"]);
      } catch (const json::exception&) {
        continue;
      }
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

// Old entries go when there are too many or too large ones; the newest always stays.
void Journal::prune() {
  std::vector<std::string> ids;
  std::error_code ec;
  for (fs::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    if (is_id(it->path().filename().string())) ids.push_back(it->path().filename().string());
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
