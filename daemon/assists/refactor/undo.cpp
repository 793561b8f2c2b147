#include <algorithm>

#include "daemon/assists/refactor/journal.h"
#include "daemon/assists/refactor/merge.h"

namespace ambit::daemon {
namespace {

std::string lines_between(std::string_view text, std::uint32_t begin, std::uint32_t count) {
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < begin && at < text.size(); ++i) {
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  }
  auto end = at;
  for (std::uint32_t i = 0; i < count && end < text.size(); ++i) {
    end = std::min(text.find('\n', end), text.size() - 1) + 1;
  }
  return std::string(text.substr(at, end - at));
}

}  // namespace

// Files that come or go as a whole are one hunk.
Result<std::vector<EntryHunk>> hunks_of(const JournalEntry& entry) {
  std::vector<EntryHunk> out;
  for (const auto& f : entry.files) {
    if (!f.before || !f.after) {
      out.push_back({f.path, 0, f.before.value_or(""), f.after.value_or("")});
      continue;
    }
    AMBIT_TRY(hunks, indexer::diff_lines(*f.after, *f.before));
    for (const auto& h : hunks) {
      out.push_back({f.path, h.old_begin, lines_between(*f.before, h.new_begin, h.new_count),
                     lines_between(*f.after, h.old_begin, h.old_count)});
    }
  }
  return out;
}

Result<Undo> plan_undo(
    const JournalEntry& entry,
    const std::function<Result<std::optional<std::string>>(const std::string&)>& current,
    const std::set<std::size_t>& hunks) {
  Undo out;
  std::size_t first = 1;  // number of this file's first hunk
  for (const auto& f : entry.files) {
    std::size_t count = 1;
    if (f.before && f.after) {
      AMBIT_TRY(all, indexer::diff_lines(*f.after, *f.before));
      count = all.size();
    }
    const auto number = first;
    first += count;
    const auto wanted = [&](std::size_t i) { return hunks.empty() || hunks.contains(number + i); };
    bool any = false;
    for (std::size_t i = 0; i < count && !any; ++i) any = wanted(i);
    if (!any) continue;
    AMBIT_TRY(now, current(f.path));
    if (now == f.before) {
      out.already += count;
      continue;
    }
    FileChange change;
    change.path = f.path;
    change.before = now;
    change.mode = f.before_mode != 0 ? f.before_mode : 0644;
    if (f.before && f.after && now) {
      AMBIT_TRY(merged, merge_back(*f.after, *f.before, *now, wanted));
      for (auto& c : merged.conflicts) out.conflicts.push_back({f.path, c.line, c.reason});
      out.hunks += merged.taken;
      out.already += merged.already;
      change.after = std::move(merged.text);
    } else if (now == f.after) {
      change.after = f.before;
      ++out.hunks;
    } else {
      out.conflicts.push_back({f.path, 0,
                               !now       ? "is gone"
                               : !f.after ? "is there again with another content"
                                          : "was made by this change and edited since"});
      continue;
    }
    if (change.after != change.before) out.changes.emplace(f.path, std::move(change));
  }
  if (!hunks.empty() && *hunks.rbegin() >= first) {
    return make_error(Code::kInvalidArgument, "there is no hunk " +
                                                  std::to_string(*hunks.rbegin()) + "; " +
                                                  entry.id + " has " + std::to_string(first - 1));
  }
  return out;
}

}  // namespace ambit::daemon
