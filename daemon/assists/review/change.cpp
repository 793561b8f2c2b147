#include "daemon/assists/review/change.h"

#include <algorithm>
#include <map>

#include "daemon/assists/review/patch.h"
#include "indexer/git/repository.h"

namespace ambit::daemon::review {
namespace {

using indexer::Change;
using indexer::FileClass;

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{4} << 20;
constexpr std::uint32_t kSubmodule = 0160000, kSymlink = 0120000;

Side make_side(indexer::Extractor& extractor, indexer::Language language, std::string text) {
  Side out;
  out.text = std::move(text);
  if (language == indexer::Language::kNone) return out;
  indexer::ExtractLimits limits;
  limits.time = std::chrono::milliseconds(2000);
  if (auto facts = extractor.extract(language, out.text, limits)) {
    out.facts = std::move(*facts);
    out.parsed = true;
  }
  return out;
}

std::vector<Lines> added_lines(const indexer::FileDiff& diff) {
  std::vector<Lines> out;
  for (const auto& hunk : diff.hunks) {
    for (const auto& line : hunk.lines) {
      if (line.origin != indexer::LineOrigin::kAdded) continue;
      if (!out.empty() && out.back().end == line.new_line) {
        ++out.back().end;
      } else {
        out.push_back({line.new_line, line.new_line + 1});
      }
    }
  }
  return out;
}

std::vector<Lines> lines_beside_removed(const indexer::FileDiff& diff, std::uint32_t count) {
  std::vector<Lines> out;
  for (const auto& hunk : diff.hunks) {
    std::optional<std::uint32_t> before;  // the line in front of the run that is looked at
    bool removed = false, added = false;
    const auto close = [&](std::optional<std::uint32_t> next) {
      const auto begin = before.value_or(next.value_or(hunk.new_start));
      const auto end = std::min(count, next.value_or(begin) + 1);
      if (removed && !added && begin < end) out.push_back({begin, end});
      removed = added = false;
    };
    for (const auto& line : hunk.lines) {
      if (line.origin == indexer::LineOrigin::kContext) {
        close(line.new_line);
        before = line.new_line;
      } else {
        (line.origin == indexer::LineOrigin::kRemoved ? removed : added) = true;
      }
    }
    close(std::nullopt);
  }
  return out;
}

std::vector<Lines> common(const std::vector<Lines>& a, const std::vector<Lines>& b) {
  std::vector<Lines> out;
  for (std::size_t i = 0, k = 0; i < a.size() && k < b.size();) {
    const auto begin = std::max(a[i].begin, b[k].begin);
    const auto end = std::min(a[i].end, b[k].end);
    if (begin < end) out.push_back({begin, end});
    if (a[i].end < b[k].end) {
      ++i;
    } else {
      ++k;
    }
  }
  return out;
}

std::string_view skip_reason(FileClass c) {
  switch (c) {
    case FileClass::kBinary:
    case FileClass::kTooLarge:
    case FileClass::kLfsPointer:
    case FileClass::kSymlink:
    case FileClass::kSubmodule:
      return to_string(c);
    default:
      return {};
  }
}

using ReadBlob =
    std::function<Result<std::string>(const indexer::BlobId&, const std::string& path)>;

ChangedFile make_file(indexer::Extractor& extractor, indexer::FileDiff diff,
                      const ReadBlob& read_old, const ReadBlob& read_new) {
  ChangedFile f;
  f.path = diff.change == Change::kDeleted ? diff.old_path : diff.new_path;
  f.diff = std::move(diff);
  const auto& d = f.diff;
  const bool gone = d.change == Change::kDeleted;
  const auto mode = gone ? d.old_mode : d.new_mode;
  if (mode == kSubmodule) f.file_class = FileClass::kSubmodule;
  if (mode == kSymlink) f.file_class = FileClass::kSymlink;
  if (d.binary) f.file_class = FileClass::kBinary;
  if (d.too_large) f.file_class = FileClass::kTooLarge;
  f.skipped = skip_reason(f.file_class);
  if (!f.skipped.empty()) return f;
  const auto one = [&](const ReadBlob& read, const indexer::BlobId& blob, const std::string& path,
                       std::optional<Side>& side) {
    auto text = read(blob, path);
    if (!text || !f.skipped.empty()) return;
    const auto c = indexer::classify(path, std::string_view(*text).substr(0, 64U << 10),
                                     text->size(), kMaxFileBytes);
    f.skipped = skip_reason(c);
    if (!f.skipped.empty()) return;
    f.file_class = c;
    f.language = indexer::language_of(path, std::string_view(*text).substr(0, 4096));
    side = make_side(extractor, f.language, std::move(*text));
  };
  if (d.change != Change::kAdded && d.old_mode != kSubmodule && d.old_mode != kSymlink) {
    one(read_old, d.old_blob, d.old_path, f.before);
  }
  if (!gone) one(read_new, d.new_blob, d.new_path, f.after);
  if (f.after) {
    f.added = added_lines(d);
    const auto count = line_starts(f.after->text).size();
    f.beside_removed = lines_beside_removed(d, static_cast<std::uint32_t>(count));
  }
  return f;
}

Result<indexer::Diff> diff_of(const Source& source, const indexer::DiffOptions& options) {
  switch (source.scope) {
    case Scope::kStaged:
      return indexer::diff_staged(source.repository, source.index_file, options);
    case Scope::kWorktree:
      return indexer::diff_worktree(source.repository, options);
    case Scope::kRange:
      return indexer::diff_range(source.repository, source.range, options);
    case Scope::kPatch:
      break;
  }
  return parse_patch(source.patch);
}

// "A..B", "A...B" or "A": the revision whose tree is the result.
std::string end_of_range(const std::string& range) {
  const auto dots = range.rfind("..");
  if (dots == std::string::npos) return range;
  const auto end = range.substr(dots + 2);
  return end.empty() ? "HEAD" : end;
}

// A conflict that was resolved is committed with `git commit`: what either side brought along was
// reviewed there. Only lines that no parent has are new.
Result<void> keep_what_no_parent_has(const Source& source, indexer::DiffOptions options,
                                     ChangeSet& out) {
  auto heads = indexer::merge_heads(source.repository);
  if (heads.empty()) heads = source.parents;
  for (const auto& head : heads) {
    options.base = head;
    AMBIT_TRY(other, indexer::diff_staged(source.repository, source.index_file, options));
    std::map<std::string, const indexer::FileDiff*> by_path;
    for (const auto& d : other.files) by_path[d.new_path] = &d;
    for (auto& f : out.files) {
      f.beside_removed.clear();
      const auto it = by_path.find(f.path);
      f.added =
          it == by_path.end() ? std::vector<Lines>{} : common(f.added, added_lines(*it->second));
    }
  }
  return {};
}

}  // namespace

bool ChangedFile::line_added(std::uint32_t line) const {
  return touches(line, line);
}

bool ChangedFile::touches(std::uint32_t first, std::uint32_t last) const {
  return std::any_of(added.begin(), added.end(),
                     [&](const Lines& l) { return l.begin <= last && first < l.end; });
}

std::vector<Lines> ChangedFile::changed() const {
  auto all = added;
  all.insert(all.end(), beside_removed.begin(), beside_removed.end());
  std::sort(all.begin(), all.end(), [](Lines a, Lines b) { return a.begin < b.begin; });
  std::vector<Lines> out;
  for (const auto& l : all) {
    if (!out.empty() && l.begin <= out.back().end) {
      out.back().end = std::max(out.back().end, l.end);
    } else {
      out.push_back(l);
    }
  }
  return out;
}

const ChangedFile* ChangeSet::find(std::string_view path) const {
  const auto it = std::find_if(files.begin(), files.end(),
                               [&](const ChangedFile& f) { return f.path == path; });
  return it == files.end() ? nullptr : &*it;
}

Result<ChangeSet> load_change(const Source& source) {
  AMBIT_TRY(repository, indexer::Repository::open(source.repository));
  if (!repository.is_git() && source.scope != Scope::kPatch) {
    return make_error(Code::kNotFound, "no git repository at " + source.repository.string() +
                                           "; review a patch with --diff FILE");
  }
  indexer::DiffOptions options;
  options.max_file_bytes = kMaxFileBytes;
  options.paths = source.paths;
  AMBIT_TRY(diff, diff_of(source, options));
  ChangeSet out;
  out.name = diff.name;
  out.root = repository.root();
  const ReadBlob from_store = [&](const indexer::BlobId& blob, const std::string&) {
    return repository.read_blob(blob, kMaxFileBytes);
  };
  const ReadBlob from_disk = [&](const indexer::BlobId&, const std::string& path) {
    return repository.read(path, kMaxFileBytes);
  };
  indexer::Extractor extractor;
  for (auto& d : diff.files) {
    if (source.scope == Scope::kPatch) {
      AMBIT_TRY(sides, sides_of(d, [&](const std::string& path) { return from_disk({}, path); }));
      const ReadBlob old_side = [&](const indexer::BlobId&, const std::string&) {
        return Result<std::string>(sides.before);
      };
      const ReadBlob new_side = [&](const indexer::BlobId&, const std::string&) {
        return Result<std::string>(sides.after);
      };
      out.files.push_back(make_file(extractor, std::move(d), old_side, new_side));
    } else {
      out.files.push_back(make_file(extractor, std::move(d), from_store,
                                    source.scope == Scope::kWorktree ? from_disk : from_store));
    }
    out.added += out.files.back().diff.added;
    out.removed += out.files.back().diff.removed;
  }
  switch (source.scope) {
    case Scope::kStaged: {
      AMBIT_TRY(entries, indexer::staged_entries(source.repository, source.index_file));
      out.tree = std::move(entries);
      AMBIT_CHECK_OK(keep_what_no_parent_has(source, options, out));
      break;
    }
    case Scope::kRange: {
      AMBIT_TRY(entries, indexer::tree_entries(source.repository, end_of_range(source.range)));
      out.tree = std::move(entries);
      break;
    }
    case Scope::kWorktree:
    case Scope::kPatch:
      out.tree_is_worktree = true;
      break;
  }
  return out;
}

std::shared_ptr<const indexer::Snapshot> snapshot_after(
    const ChangeSet& change, const std::shared_ptr<const indexer::Snapshot>& worktree) {
  static const auto kEmpty = std::make_shared<const std::string>();
  indexer::Buffers buffers;
  if (!change.tree_is_worktree) {
    auto repository = indexer::Repository::open(change.root);
    if (!repository) return worktree;
    std::map<std::string_view, const indexer::TreeEntry*> wanted;
    std::vector<std::string> submodules;
    for (const auto& e : change.tree) {
      if (e.mode == kSubmodule) submodules.push_back(e.path + "/");
      if (e.mode != kSubmodule && e.mode != kSymlink) wanted[e.path] = &e;
    }
    const auto inside_submodule = [&](std::string_view path) {
      return std::any_of(submodules.begin(), submodules.end(),
                         [&](const std::string& s) { return path.starts_with(s); });
    };
    const auto lay = [&](const indexer::TreeEntry& e) {
      if (indexer::language_of(e.path) == indexer::Language::kNone ||
          !is_indexed(indexer::classify_path(e.path))) {
        return;
      }
      auto text = repository->read_blob(e.blob, kMaxFileBytes);
      buffers[e.path] = text ? std::make_shared<const std::string>(std::move(*text)) : kEmpty;
    };
    for (const auto& info : worktree->files()) {
      const auto it = wanted.find(info.path);
      if (it == wanted.end()) {
        if (info.skipped.empty() && info.language != indexer::Language::kNone &&
            !inside_submodule(info.path)) {
          buffers[info.path] = kEmpty;
        }
        continue;
      }
      if (info.skipped.empty() && info.blob != it->second->blob) lay(*it->second);
      wanted.erase(it);
    }
    for (const auto& [path, entry] : wanted) lay(*entry);
  }
  for (const auto& f : change.files) {
    if (change.tree_is_worktree && !f.after && f.before) buffers[f.path] = kEmpty;
    if (f.after) buffers[f.path] = std::make_shared<const std::string>(f.after->text);
    if (f.diff.change == Change::kRenamed && !buffers.contains(f.diff.old_path) &&
        worktree->file(f.diff.old_path) && change.tree_is_worktree) {
      buffers[f.diff.old_path] = kEmpty;
    }
  }
  return buffers.empty() ? worktree : worktree->with_buffers(buffers);
}

std::vector<std::uint32_t> line_starts(std::string_view text) {
  std::vector<std::uint32_t> out{0};
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    out.push_back(static_cast<std::uint32_t>(at + 1));
  }
  return out;
}

std::string_view line_text(std::string_view text, const std::vector<std::uint32_t>& starts,
                           std::uint32_t line) {
  if (line >= starts.size()) return {};
  const std::size_t end = line + 1 < starts.size() ? starts[line + 1] - 1 : text.size();
  auto out = text.substr(starts[line], end - starts[line]);
  if (out.ends_with('\r')) out.remove_suffix(1);
  return out;
}

}  // namespace ambit::daemon::review
