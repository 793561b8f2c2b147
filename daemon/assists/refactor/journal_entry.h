// One entry of a journal as it lies on disk: entry.json, which says what and how far, and data, the
// bytes of all contents one after the other.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "daemon/assists/refactor/journal.h"

namespace ambit::daemon {

// Sorts by time, and behind `newest` whatever the clock says.
[[nodiscard]] std::string new_entry_id(const std::string& newest);
[[nodiscard]] bool is_entry_id(std::string_view id);

// entry.json of an entry in the journal of `root`.
[[nodiscard]] std::string entry_text(const JournalEntry& entry, const std::filesystem::path& root);
[[nodiscard]] std::string entry_data(const JournalEntry& entry);
// kCorrupt. Without `data`, contents are empty where there is one.
[[nodiscard]] Result<JournalEntry> parse_entry(const std::string& id, const std::string& text,
                                               const std::string* data);
// The tree that it belongs to; "" when the text says none.
[[nodiscard]] std::filesystem::path root_of_entry(const std::string& text);

// One process at a time changes a tree. Held by flock, so that it dies with its owner.
class JournalLock {
 public:
  [[nodiscard]] static Result<JournalLock> take(const std::filesystem::path& folder);
  JournalLock(JournalLock&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  JournalLock& operator=(JournalLock&&) = delete;
  ~JournalLock();

 private:
  JournalLock() = default;
  int fd_ = -1;
};

}  // namespace ambit::daemon
