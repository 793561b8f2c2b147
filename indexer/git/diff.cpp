#include "indexer/git/diff.h"

#include <git2.h>

#include <algorithm>
#include <cstring>

#include "indexer/git/raw.h"

namespace ambit::indexer {
namespace {

using Repo = raw::Holder<git_repository, git_repository_free>;
using Tree = raw::Holder<git_tree, git_tree_free>;
using Index = raw::Holder<git_index, git_index_free>;
using RawDiff = raw::Holder<git_diff, git_diff_free>;
using Object = raw::Holder<git_object, git_object_free>;
using Patch = raw::Holder<git_patch, git_patch_free>;

Result<void> open_repo(const std::filesystem::path& path, Repo& repo) {
  raw::init();
  if (git_repository_open_ext(&repo.p, path.c_str(), 0, nullptr) != 0) {
    return raw::last_error(Code::kNotFound, "no git repository at " + path.string());
  }
  return {};
}

Result<void> open_index(const Repo& repo, const std::filesystem::path& file, Index& index) {
  if (file.empty()) {
    if (git_repository_index(&index.p, repo.p) != 0) {
      return raw::last_error(Code::kCorrupt, "the index cannot be read");
    }
    (void)git_index_read(index.p, 0);
    return {};
  }
  std::error_code ec;
  if (!std::filesystem::exists(file, ec)) {
    return make_error(Code::kNotFound, "there is no index file " + file.string());
  }
  if (git_index_open(&index.p, file.c_str()) != 0) {
    return raw::last_error(Code::kCorrupt, "the index file " + file.string() + " cannot be read");
  }
  return {};
}

Result<std::string> resolve_tree(const Repo& repo, const std::string& spec, Tree& tree) {
  Object object;
  if (git_revparse_single(&object.p, repo.p, spec.c_str()) != 0) {
    return make_error(Code::kNotFound, "git knows no revision '" + spec + "'");
  }
  Object peeled;
  if (git_object_peel(&peeled.p, object.p, GIT_OBJECT_TREE) != 0) {
    return make_error(Code::kInvalidArgument, "'" + spec + "' is not a commit or tree");
  }
  tree.p = reinterpret_cast<git_tree*>(peeled.release());
  return raw::hex(*git_object_id(object.p));
}

git_diff_options raw_options(const DiffOptions& options, std::vector<char*>& specs) {
  git_diff_options o;
  git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION);
  o.context_lines = options.context_lines;
  o.max_size = static_cast<git_off_t>(options.max_file_bytes);
  for (const auto& p : options.paths) specs.push_back(const_cast<char*>(p.c_str()));
  if (!specs.empty()) {
    o.pathspec = {specs.data(), specs.size()};
    o.flags |= GIT_DIFF_DISABLE_PATHSPEC_MATCH;
  }
  o.flags |= GIT_DIFF_INCLUDE_TYPECHANGE;
  return o;
}

Change change_of(git_delta_t status) {
  switch (status) {
    case GIT_DELTA_ADDED:
    case GIT_DELTA_UNTRACKED:
      return Change::kAdded;
    case GIT_DELTA_DELETED:
      return Change::kDeleted;
    case GIT_DELTA_RENAMED:
      return Change::kRenamed;
    case GIT_DELTA_COPIED:
      return Change::kCopied;
    case GIT_DELTA_TYPECHANGE:
      return Change::kTypeChanged;
    default:
      return Change::kModified;
  }
}

void trim_line_end(std::string& s) {
  while (!s.empty() && (s.back() == '\n' || s.back() == '\r')) s.pop_back();
}

Result<void> read_hunks(git_patch* patch, FileDiff& out) {
  const auto n = git_patch_num_hunks(patch);
  for (std::size_t h = 0; h < n; ++h) {
    const git_diff_hunk* raw_hunk = nullptr;
    std::size_t lines = 0;
    if (git_patch_get_hunk(&raw_hunk, &lines, patch, h) != 0) {
      return raw::last_error(Code::kInternal, "a hunk cannot be read");
    }
    Hunk hunk;
    // Git counts lines from 1, and an empty side names the line before it.
    const auto zero_based = [](int start, int count) {
      return static_cast<std::uint32_t>(std::max(0, count == 0 ? start : start - 1));
    };
    hunk.old_start = zero_based(raw_hunk->old_start, raw_hunk->old_lines);
    hunk.old_count = static_cast<std::uint32_t>(raw_hunk->old_lines);
    hunk.new_start = zero_based(raw_hunk->new_start, raw_hunk->new_lines);
    hunk.new_count = static_cast<std::uint32_t>(raw_hunk->new_lines);
    std::string_view header(raw_hunk->header, raw_hunk->header_len);
    if (const auto at = header.find("@@", 2); at != std::string_view::npos) {
      hunk.heading = header.substr(std::min(at + 3, header.size()));
      trim_line_end(hunk.heading);
    }
    for (std::size_t l = 0; l < lines; ++l) {
      const git_diff_line* line = nullptr;
      if (git_patch_get_line_in_hunk(&line, patch, h, l) != 0) continue;
      DiffLine d;
      if (line->origin == GIT_DIFF_LINE_ADDITION) {
        d.origin = LineOrigin::kAdded;
        ++out.added;
      } else if (line->origin == GIT_DIFF_LINE_DELETION) {
        d.origin = LineOrigin::kRemoved;
        ++out.removed;
      } else if (line->origin != GIT_DIFF_LINE_CONTEXT) {
        continue;  // "no newline at end of file"
      }
      d.old_line = line->old_lineno > 0 ? static_cast<std::uint32_t>(line->old_lineno - 1) : 0;
      d.new_line = line->new_lineno > 0 ? static_cast<std::uint32_t>(line->new_lineno - 1) : 0;
      d.text.assign(line->content, line->content_len);
      trim_line_end(d.text);
      hunk.lines.push_back(std::move(d));
    }
    out.hunks.push_back(std::move(hunk));
  }
  return {};
}

Result<Diff> convert(RawDiff& raw_diff, const DiffOptions& options, std::string name) {
  if (options.find_renames) {
    git_diff_find_options find;
    git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
    find.flags = GIT_DIFF_FIND_RENAMES | GIT_DIFF_FIND_FOR_UNTRACKED;
    find.rename_threshold = options.rename_similarity;
    find.rename_limit = 1000;
    if (git_diff_find_similar(raw_diff.p, &find) != 0) {
      return raw::last_error(Code::kInternal, "renames cannot be found");
    }
  }
  Diff out;
  out.name = std::move(name);
  const auto n = git_diff_num_deltas(raw_diff.p);
  if (n > options.max_files) {
    return make_error(Code::kResourceExhausted, "the diff touches " + std::to_string(n) +
                                                    " files, the limit is " +
                                                    std::to_string(options.max_files));
  }
  for (std::size_t i = 0; i < n; ++i) {
    const auto* delta = git_diff_get_delta(raw_diff.p, i);
    if (delta->status == GIT_DELTA_UNMODIFIED || delta->status == GIT_DELTA_IGNORED) continue;
    FileDiff file;
    file.change = change_of(delta->status);
    file.old_path = delta->old_file.path;
    file.new_path = delta->new_file.path;
    file.old_mode = delta->old_file.mode;
    file.new_mode = delta->new_file.mode;
    if (file.change != Change::kAdded) file.old_blob = raw::blob_id(delta->old_file.id);
    if (file.change != Change::kDeleted) file.new_blob = raw::blob_id(delta->new_file.id);
    Patch patch;
    if (git_patch_from_diff(&patch.p, raw_diff.p, i) != 0) {
      return raw::last_error(Code::kInternal, "the change of " + file.new_path + " cannot be read");
    }
    delta = git_diff_get_delta(raw_diff.p, i);  // the patch has looked at the content by now
    file.binary = (delta->flags & GIT_DIFF_FLAG_BINARY) != 0;
    const auto limit = static_cast<git_object_size_t>(options.max_file_bytes);
    if (delta->old_file.size > limit || delta->new_file.size > limit) {
      file.too_large = true;
      file.binary = false;
    } else if (patch.p != nullptr && !file.binary) {
      AMBIT_CHECK_OK(read_hunks(patch.p, file));
    }
    out.files.push_back(std::move(file));
  }
  std::sort(out.files.begin(), out.files.end(),
            [](const auto& a, const auto& b) { return a.new_path < b.new_path; });
  return out;
}

// `git add -N` announces a file without content: git does not commit it. In memory only.
void drop_announced(git_index* index) {
  for (std::size_t i = git_index_entrycount(index); i-- > 0;) {
    const auto* entry = git_index_get_byindex(index, i);
    if ((entry->flags_extended & GIT_INDEX_ENTRY_INTENT_TO_ADD) == 0) continue;
    const std::string path = entry->path;
    (void)git_index_remove(index, path.c_str(), 0);
  }
}

Result<std::string> head_tree(const Repo& repo, Tree& tree) {
  const int unborn = git_repository_head_unborn(repo.p);
  if (unborn == 1) return std::string("(empty)");
  return resolve_tree(repo, "HEAD", tree);
}

}  // namespace

std::string_view to_string(Change change) {
  switch (change) {
    case Change::kAdded:
      return "added";
    case Change::kDeleted:
      return "deleted";
    case Change::kModified:
      return "modified";
    case Change::kRenamed:
      return "renamed";
    case Change::kCopied:
      return "copied";
    case Change::kTypeChanged:
      return "type changed";
  }
  return "modified";
}

Result<Diff> diff_staged(const std::filesystem::path& repository,
                         const std::filesystem::path& index_file, const DiffOptions& options) {
  Repo repo;
  AMBIT_CHECK_OK(open_repo(repository, repo));
  Index index;
  AMBIT_CHECK_OK(open_index(repo, index_file, index));
  drop_announced(index.p);
  Tree tree;
  AMBIT_TRY(name,
            options.base.empty() ? head_tree(repo, tree) : resolve_tree(repo, options.base, tree));
  std::vector<char*> specs;
  const auto o = raw_options(options, specs);
  RawDiff diff;
  if (git_diff_tree_to_index(&diff.p, repo.p, tree.p, index.p, &o) != 0) {
    return raw::last_error(Code::kInternal, "HEAD and the index cannot be compared");
  }
  return convert(diff, options, name + "..index");
}

Result<Diff> diff_worktree(const std::filesystem::path& repository, const DiffOptions& options) {
  Repo repo;
  AMBIT_CHECK_OK(open_repo(repository, repo));
  if (git_repository_is_bare(repo.p) == 1) {
    return make_error(Code::kUnsupported, "a bare repository has no work tree");
  }
  std::vector<char*> specs;
  auto o = raw_options(options, specs);
  o.flags |= GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS |
             GIT_DIFF_SHOW_UNTRACKED_CONTENT;
  RawDiff diff;
  if (git_diff_index_to_workdir(&diff.p, repo.p, nullptr, &o) != 0) {
    return raw::last_error(Code::kInternal, "the index and the work tree cannot be compared");
  }
  return convert(diff, options, "index..worktree");
}

Result<Diff> diff_trees(const std::filesystem::path& repository, const std::string& old_spec,
                        const std::string& new_spec, const DiffOptions& options) {
  Repo repo;
  AMBIT_CHECK_OK(open_repo(repository, repo));
  Tree old_tree, new_tree;
  AMBIT_TRY(old_name, resolve_tree(repo, old_spec, old_tree));
  AMBIT_TRY(new_name, resolve_tree(repo, new_spec, new_tree));
  std::vector<char*> specs;
  const auto o = raw_options(options, specs);
  RawDiff diff;
  if (git_diff_tree_to_tree(&diff.p, repo.p, old_tree.p, new_tree.p, &o) != 0) {
    return raw::last_error(Code::kInternal, "the trees cannot be compared");
  }
  return convert(diff, options, old_name + ".." + new_name);
}

Result<Diff> diff_range(const std::filesystem::path& repository, const std::string& range,
                        const DiffOptions& options) {
  if (range.empty()) return make_error(Code::kInvalidArgument, "a range is A..B, A...B or A");
  if (const auto dots = range.find("..."); dots != std::string::npos) {
    auto a = range.substr(0, dots);
    auto b = range.substr(dots + 3);
    if (a.empty()) a = "HEAD";
    if (b.empty()) b = "HEAD";
    Repo repo;
    AMBIT_CHECK_OK(open_repo(repository, repo));
    git_oid one, two, base;
    Object oa, ob;
    if (git_revparse_single(&oa.p, repo.p, (a + "^{commit}").c_str()) != 0 ||
        git_revparse_single(&ob.p, repo.p, (b + "^{commit}").c_str()) != 0) {
      return make_error(Code::kNotFound, "git knows no such commits: '" + range + "'");
    }
    one = *git_object_id(oa.p);
    two = *git_object_id(ob.p);
    if (git_merge_base(&base, repo.p, &one, &two) != 0) {
      return make_error(Code::kNotFound, "'" + a + "' and '" + b + "' have no common ancestor");
    }
    return diff_trees(repository, raw::hex(base), b, options);
  }
  if (const auto dots = range.find(".."); dots != std::string::npos) {
    const auto a = range.substr(0, dots);
    const auto b = range.substr(dots + 2);
    return diff_trees(repository, a.empty() ? "HEAD" : a, b.empty() ? "HEAD" : b, options);
  }
  return diff_trees(repository, range + "^1", range, options);
}

Result<std::string> blob_text(const std::filesystem::path& repository, const BlobId& blob,
                              std::uint64_t max_bytes) {
  Repo repo;
  AMBIT_CHECK_OK(open_repo(repository, repo));
  return raw::read_blob(repo.p, blob, max_bytes);
}

Result<std::string> staged_text(const std::filesystem::path& repository,
                                const std::filesystem::path& index_file, const std::string& path,
                                std::uint64_t max_bytes) {
  Repo repo;
  AMBIT_CHECK_OK(open_repo(repository, repo));
  Index index;
  AMBIT_CHECK_OK(open_index(repo, index_file, index));
  const auto* entry = git_index_get_bypath(index.p, path.c_str(), 0);
  if (entry == nullptr) return make_error(Code::kNotFound, path + " is not in the index");
  return raw::read_blob(repo.p, raw::blob_id(entry->id), max_bytes);
}

Result<std::string> staged_tree(const std::filesystem::path& repository,
                                const std::filesystem::path& index_file) {
  Repo repo;
  AMBIT_CHECK_OK(open_repo(repository, repo));
  Index index;
  AMBIT_CHECK_OK(open_index(repo, index_file, index));
  git_oid id;
  if (git_index_write_tree_to(&id, index.p, repo.p) != 0) {
    return raw::last_error(Code::kInvalidArgument, "the index cannot be written as a tree");
  }
  return raw::hex(id);
}

Result<std::vector<TreeEntry>> staged_entries(const std::filesystem::path& repository,
                                              const std::filesystem::path& index_file) {
  Repo repo;
  AMBIT_CHECK_OK(open_repo(repository, repo));
  Index index;
  AMBIT_CHECK_OK(open_index(repo, index_file, index));
  std::vector<TreeEntry> out;
  for (std::size_t i = 0, n = git_index_entrycount(index.p); i < n; ++i) {
    const auto* entry = git_index_get_byindex(index.p, i);
    if (git_index_entry_stage(entry) != 0 ||
        (entry->flags_extended & GIT_INDEX_ENTRY_INTENT_TO_ADD) != 0) {
      continue;
    }
    out.push_back({entry->path, raw::blob_id(entry->id), entry->mode});
  }
  return out;
}

Result<std::vector<TreeEntry>> tree_entries(const std::filesystem::path& repository,
                                            const std::string& spec) {
  Repo repo;
  AMBIT_CHECK_OK(open_repo(repository, repo));
  Tree tree;
  AMBIT_TRY(name, resolve_tree(repo, spec, tree));
  (void)name;
  Index index;  // an index in memory lists a tree in one go
  if (git_index_new(&index.p) != 0 || git_index_read_tree(index.p, tree.p) != 0) {
    return raw::last_error(Code::kInternal, "the tree of '" + spec + "' cannot be read");
  }
  std::vector<TreeEntry> out;
  for (std::size_t i = 0, n = git_index_entrycount(index.p); i < n; ++i) {
    const auto* entry = git_index_get_byindex(index.p, i);
    out.push_back({entry->path, raw::blob_id(entry->id), entry->mode});
  }
  return out;
}

std::vector<std::string> merge_heads(const std::filesystem::path& repository) {
  Repo repo;
  std::vector<std::string> out;
  if (!open_repo(repository, repo)) return out;
  (void)git_repository_mergehead_foreach(
      repo.p,
      [](const git_oid* id, void* list) {
        static_cast<std::vector<std::string>*>(list)->push_back(raw::hex(*id));
        return 0;
      },
      &out);
  return out;
}

std::string to_unified(const FileDiff& f) {
  std::string out = "diff --git a/" + f.old_path + " b/" + f.new_path + "\n";
  if (f.change == Change::kRenamed)
    out += "rename from " + f.old_path + "\nrename to " + f.new_path + "\n";
  if (f.binary) return out + "Binary files differ\n";
  if (f.hunks.empty()) return out;
  out += f.change == Change::kAdded ? "--- /dev/null\n" : "--- a/" + f.old_path + "\n";
  out += f.change == Change::kDeleted ? "+++ /dev/null\n" : "+++ b/" + f.new_path + "\n";
  for (const auto& h : f.hunks) {
    const auto side = [](std::uint32_t start, std::uint32_t count) {
      return std::to_string(count == 0 ? start : start + 1) +
             (count == 1 ? "" : "," + std::to_string(count));
    };
    out += "@@ -" + side(h.old_start, h.old_count) + " +" + side(h.new_start, h.new_count) + " @@" +
           (h.heading.empty() ? "" : " " + h.heading) + "\n";
    for (const auto& l : h.lines) {
      out += static_cast<char>(l.origin);
      out += l.text;
      out += '\n';
    }
  }
  return out;
}

}  // namespace ambit::indexer
