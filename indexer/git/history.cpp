#include "indexer/git/history.h"

#include <git2.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "daemon/support/bytes.h"
#include "daemon/support/trace.h"
#include "indexer/git/raw.h"
#include "indexer/git/repository.h"

namespace ambit::indexer {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kMagic = "AMBHIST1";
// A commit of more files says nothing about one of them: it counts as changing none.
constexpr std::size_t kMaxFiles = 200;
constexpr std::size_t kMaxRenames = 20'000;
constexpr std::uint64_t kMaxCacheBytes = std::uint64_t{64} << 20;

struct Changes {
  std::int64_t time = 0;
  bool last = false;               // has no parent
  std::vector<std::string> files;  // as they are called after the commit; deleted ones: before
  std::vector<std::pair<std::string, std::string>> renames;  // old, new
};

using Key = std::string;  // the 20 bytes of a commit id
Key key_of(const git_oid& id) {
  return {reinterpret_cast<const char*>(id.id), GIT_OID_RAWSZ};
}

// What a commit changed against its first parent. Merges change nothing: their parents did.
Changes read_commit(git_repository* repo, git_commit* commit) {
  Changes out;
  out.time = git_commit_time(commit);
  const auto parents = git_commit_parentcount(commit);
  out.last = parents == 0;
  if (parents > 1) return out;
  raw::Holder<git_tree, git_tree_free> tree, before;
  if (git_commit_tree(&tree.p, commit) != 0) return out;
  if (parents == 1) {
    raw::Holder<git_commit, git_commit_free> parent;
    // Not there: a shallow clone ends here.
    if (git_commit_parent(&parent.p, commit, 0) != 0 || git_commit_tree(&before.p, parent.p) != 0) {
      out.last = true;
      return out;
    }
  }
  git_diff_options options;
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags = GIT_DIFF_SKIP_BINARY_CHECK;
  options.ignore_submodules = GIT_SUBMODULE_IGNORE_ALL;
  raw::Holder<git_diff, git_diff_free> diff;
  if (git_diff_tree_to_tree(&diff.p, repo, before.p, tree.p, &options) != 0) return out;
  const auto n = git_diff_num_deltas(diff.p);
  std::unordered_map<Key, const char*> deleted;  // blob -> path
  for (std::size_t i = 0; i < n; ++i) {
    const auto* d = git_diff_get_delta(diff.p, i);
    if (d->status == GIT_DELTA_DELETED) deleted.emplace(key_of(d->old_file.id), d->old_file.path);
  }
  std::unordered_map<std::string, bool> moved;  // old paths that have a new one
  for (std::size_t i = 0; i < n && !deleted.empty(); ++i) {
    const auto* d = git_diff_get_delta(diff.p, i);
    if (d->status != GIT_DELTA_ADDED || out.renames.size() >= kMaxRenames) continue;
    const auto it = deleted.find(key_of(d->new_file.id));
    if (it == deleted.end()) continue;
    out.renames.emplace_back(it->second, d->new_file.path);
    moved.emplace(it->second, true);
    deleted.erase(it);
  }
  if (n - moved.size() > kMaxFiles) return out;
  for (std::size_t i = 0; i < n; ++i) {
    const auto* d = git_diff_get_delta(diff.p, i);
    const bool gone = d->status == GIT_DELTA_DELETED;
    std::string path = gone ? d->old_file.path : d->new_file.path;
    if (gone && moved.contains(path)) continue;
    out.files.push_back(std::move(path));
  }
  return out;
}

}  // namespace

struct HistoryWalker::Cache {
  std::unordered_map<Key, Changes> commits;
  std::filesystem::path file;  // empty: not kept
  bool loaded = false, changed = false;

  // A file of another version or a damaged one is as good as none.
  void load() {
    if (loaded || file.empty()) return;
    loaded = true;
    auto bytes = read_file(file, kMaxCacheBytes);
    if (!bytes) return;
    const std::string_view all = *bytes;
    const auto head = kMagic.size() + 12;
    if (all.size() < head || !all.starts_with(kMagic)) return;
    ByteReader in(all.substr(kMagic.size()));
    const auto version = in.read<std::uint32_t>();
    const auto hash = in.read<std::uint64_t>();
    if (version != kVersion || XXH3_64bits(all.data() + head, all.size() - head) != hash) {
      log(LogLevel::kWarning, "index",
          "the commits remembered in " + file.string() + " are damaged; they are read again");
      return;
    }
    const auto count = in.varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
      const auto id = in.bytes(GIT_OID_RAWSZ);
      Changes c;
      c.time = static_cast<std::int64_t>(in.read<std::uint64_t>());
      c.last = in.varint() != 0;
      for (auto n = in.varint(); n > 0 && in.ok(); --n) c.files.emplace_back(in.string());
      for (auto n = in.varint(); n > 0 && in.ok(); --n) {
        std::string old(in.string());
        c.renames.emplace_back(std::move(old), in.string());
      }
      if (in.ok()) {
        commits.emplace(Key(reinterpret_cast<const char*>(id.data()), id.size()), std::move(c));
      }
    }
  }

  void save(FileSystem& files) {
    if (file.empty() || !changed) return;
    std::vector<const Key*> order;
    for (const auto& [key, c] : commits) order.push_back(&key);
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return *a < *b; });
    ByteWriter body;
    body.varint(order.size());
    for (const auto* key : order) {
      const auto& c = commits.at(*key);
      body.raw(*key);
      body.write(static_cast<std::uint64_t>(c.time));
      body.varint(c.last ? 1 : 0);
      body.varint(c.files.size());
      for (const auto& f : c.files) body.string(f);
      body.varint(c.renames.size());
      for (const auto& [old, now] : c.renames) {
        body.string(old);
        body.string(now);
      }
    }
    ByteWriter out;
    out.raw(kMagic);
    out.write(kVersion);
    out.write(static_cast<std::uint64_t>(XXH3_64bits(body.data().data(), body.size())));
    out.raw(body.data());
    (void)files.make_private_directory(file.parent_path());
    // Lost when it fails: the next walk reads the commits again.
    if (files.replace(file, out.data())) changed = false;
  }
};

HistoryWalker::HistoryWalker(std::filesystem::path root, HistoryOptions options, FileSystem& files)
    : root_(std::move(root)),
      options_(std::move(options)),
      files_(files),
      cache_(std::make_unique<Cache>()),
      last_(std::make_shared<const History>()) {}
HistoryWalker::~HistoryWalker() = default;

Result<std::shared_ptr<const History>> HistoryWalker::walk(std::stop_token stop) {
  read_ = 0;
  AMBIT_TRY(repository, Repository::open(root_));
  git_oid head;
  if (!repository.is_git() || git_reference_name_to_id(&head, repository.raw(), "HEAD") != 0) {
    return last_ = std::make_shared<const History>();
  }
  const auto tip = raw::hex(head);
  if (last_->tip() == tip) return last_;
  if (!options_.cache_directory.empty() && cache_->file.empty()) {
    char name[40];
    const auto common = repository.common_dir().string();
    std::snprintf(name, sizeof name, "%016llx.history",
                  static_cast<unsigned long long>(XXH3_64bits(common.data(), common.size())));
    cache_->file = options_.cache_directory / name;
  }
  cache_->load();
  raw::Holder<git_revwalk, git_revwalk_free> walk;
  if (git_revwalk_new(&walk.p, repository.raw()) != 0 ||
      git_revwalk_sorting(walk.p, GIT_SORT_TIME) != 0 || git_revwalk_push(walk.p, &head) != 0) {
    return raw::last_error(Code::kCorrupt, "the commits of " + root_.string() + " cannot be read");
  }
  std::vector<const Changes*> found;
  std::unordered_map<Key, bool> used;
  bool complete = true;
  git_oid id;
  while (git_revwalk_next(&id, walk.p) == 0) {
    if (found.size() >= options_.max_commits) {
      complete = false;
      break;
    }
    if (stop.stop_requested()) {
      cache_->save(files_);
      return make_error(Code::kCancelled,
                        "reading the history was cancelled; what was read is kept");
    }
    auto key = key_of(id);
    auto it = cache_->commits.find(key);
    if (it == cache_->commits.end()) {
      raw::Holder<git_commit, git_commit_free> commit;
      if (git_commit_lookup(&commit.p, repository.raw(), &id) != 0) break;
      it = cache_->commits.emplace(key, read_commit(repository.raw(), commit.p)).first;
      cache_->changed = true;
      ++read_;
    }
    found.push_back(&it->second);
    used.emplace(std::move(key), true);
  }

  std::vector<std::string> paths;
  std::unordered_map<std::string, std::uint32_t> numbers;
  std::unordered_map<std::string, std::string> now;  // what a path of this age is called at the tip
  std::vector<History::Commit> commits;
  for (const auto* c : found) {
    History::Commit one;
    one.time = c->time;
    for (const auto& f : c->files) {
      const auto alias = now.find(f);
      const auto& name = alias == now.end() ? f : alias->second;
      const auto [it, fresh] = numbers.emplace(name, static_cast<std::uint32_t>(paths.size()));
      if (fresh) paths.push_back(name);
      one.files.push_back(it->second);
    }
    std::sort(one.files.begin(), one.files.end());
    one.files.erase(std::unique(one.files.begin(), one.files.end()), one.files.end());
    commits.push_back(std::move(one));
    for (const auto& [old, renamed] : c->renames) {
      const auto alias = now.find(renamed);
      auto name = alias == now.end() ? renamed : alias->second;
      if (alias != now.end()) now.erase(alias);  // before this commit that name was another file
      now[old] = std::move(name);
    }
  }
  const auto tip_time = found.empty() ? 0 : found.front()->time;
  // Other branches' commits stay, as long as there are not many more than one walk needs.
  if (cache_->commits.size() > 4 * options_.max_commits + 1000) {
    std::erase_if(cache_->commits, [&](const auto& e) { return !used.contains(e.first); });
    cache_->changed = true;
  }
  cache_->save(files_);
  last_ = std::make_shared<const History>(tip, tip_time, std::move(paths), std::move(commits),
                                          complete);
  return last_;
}

}  // namespace ambit::indexer
