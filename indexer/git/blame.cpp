// Blame of a range of a text that may differ from what HEAD has: the text is compared with HEAD's
// first, and only HEAD's lines are asked for.
#include <git2.h>

#include <algorithm>
#include <cstring>

#include "indexer/git/history.h"
#include "indexer/git/raw.h"
#include "indexer/git/repository.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{8} << 20;
constexpr std::uint32_t kAdded = 0xFFFFFFFF;

// For each line of the new text in [first, end): its line in the old text, or kAdded.
struct LineMap {
  std::uint32_t first = 0, end = 0;
  std::uint32_t next_new = 0, next_old = 0;  // the unchanged lines from here on are not mapped yet
  std::vector<std::uint32_t> old;

  void unchanged_until(std::uint32_t new_line) {
    for (; next_new < new_line; ++next_new, ++next_old) {
      if (next_new >= first && next_new < end) old[next_new - first] = next_old;
    }
  }
};

int on_hunk(const git_diff_delta*, const git_diff_hunk* h, void* payload) {
  auto& m = *static_cast<LineMap*>(payload);
  // With no lines of context a hunk is a pure change. A side without lines names the line before.
  const auto new_start =
      static_cast<std::uint32_t>(h->new_lines == 0 ? h->new_start : h->new_start - 1);
  const auto old_start =
      static_cast<std::uint32_t>(h->old_lines == 0 ? h->old_start : h->old_start - 1);
  m.unchanged_until(std::min(new_start, m.end));
  m.next_new = new_start + static_cast<std::uint32_t>(h->new_lines);
  m.next_old = old_start + static_cast<std::uint32_t>(h->old_lines);
  return 0;
}

BlameHunk hunk_of(git_repository* repo, const git_blame_hunk& h) {
  BlameHunk out;
  out.commit = raw::hex(h.final_commit_id);
  if (h.orig_path != nullptr) out.path = h.orig_path;
  raw::Holder<git_commit, git_commit_free> commit;
  if (git_commit_lookup(&commit.p, repo, &h.final_commit_id) != 0) return out;
  if (const auto* author = git_commit_author(commit.p); author != nullptr) {
    out.author = author->name;
    out.time = author->when.time;
  }
  if (const char* s = git_commit_summary(commit.p); s != nullptr) out.summary = s;
  return out;
}

}  // namespace

Result<std::vector<BlameHunk>> blame(const std::filesystem::path& root, const std::string& path,
                                     std::string_view text, std::uint32_t line,
                                     std::uint32_t count) {
  AMBIT_TRY(repository, Repository::open(root));
  auto* repo = repository.raw();
  if (text.size() > kMaxBytes)
    return make_error(Code::kResourceExhausted, path + " is too large to blame");
  raw::Holder<git_object, git_object_free> object;
  if (repo == nullptr || git_revparse_single(&object.p, repo, ("HEAD:" + path).c_str()) != 0 ||
      git_object_type(object.p) != GIT_OBJECT_BLOB) {
    return make_error(Code::kNotFound, "HEAD has no file " + path);
  }
  const auto* blob = reinterpret_cast<const git_blob*>(object.p);
  if (static_cast<std::size_t>(git_blob_rawsize(blob)) > kMaxBytes)
    return make_error(Code::kResourceExhausted, path + " is too large to blame");
  const auto lines = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n') +
                                                (text.empty() || text.back() == '\n' ? 0 : 1));
  LineMap map;
  map.first = std::min(line, lines);
  map.end = static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{line} + count, lines));
  if (map.first >= map.end) return std::vector<BlameHunk>{};
  map.old.assign(map.end - map.first, kAdded);
  git_diff_options options;
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.context_lines = 0;
  options.flags = GIT_DIFF_FORCE_TEXT;
  if (git_diff_blob_to_buffer(blob, path.c_str(), text.data(), text.size(), path.c_str(), &options,
                              nullptr, nullptr, on_hunk, nullptr, &map) != 0) {
    return raw::last_error(Code::kIo, path + " cannot be compared with HEAD");
  }
  map.unchanged_until(map.end);

  std::uint32_t low = kAdded, high = 0;
  for (const auto o : map.old) {
    if (o == kAdded) continue;
    low = std::min(low, o);
    high = std::max(high, o);
  }
  raw::Holder<git_blame, git_blame_free> blamed;
  if (low != kAdded) {
    git_blame_options want;
    git_blame_options_init(&want, GIT_BLAME_OPTIONS_VERSION);
    want.min_line = low + 1;
    want.max_line = high + 1;
    if (git_blame_file(&blamed.p, repo, path.c_str(), &want) != 0)
      return raw::last_error(Code::kIo, path + " cannot be blamed");
  }
  std::vector<BlameHunk> out;
  for (std::uint32_t i = 0; i < map.old.size(); ++i) {
    BlameHunk one;
    if (map.old[i] != kAdded) {
      if (const auto* h = git_blame_get_hunk_byline(blamed.p, map.old[i] + 1); h != nullptr) {
        const auto id = raw::hex(h->final_commit_id);
        if (!out.empty() && out.back().commit == id) {
          ++out.back().lines;
          continue;
        }
        one = hunk_of(repo, *h);
      }
    } else if (!out.empty() && out.back().commit.empty()) {
      ++out.back().lines;
      continue;
    }
    one.line = map.first + i;
    one.lines = 1;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace ambit::indexer
