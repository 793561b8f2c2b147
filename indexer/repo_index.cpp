// RepoIndex: lists the files, learns what the store does not know yet, publishes views.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "daemon/support/machine.h"
#include "daemon/support/trace.h"
#include "indexer/git/history.h"
#include "indexer/learn.h"
#include "indexer/path_rules.h"
#include "indexer/search/snapshot.h"
#include "indexer/store/catalog.h"
#include "indexer/store/maintenance.h"

namespace ambit::indexer {
namespace {

// A builder holds about three times the text that went in; two threads stay well below 600 MB, and
// all of them below half of what a cgroup allows, as long as that is no less than kLeastBytes each.
constexpr std::size_t kBuilderBytes = std::size_t{96} << 20;
constexpr std::size_t kLeastBytes = std::size_t{2} << 20;
std::size_t builder_bytes(std::size_t threads) {
  const auto limit = memory_limit();
  if (limit == 0) return kBuilderBytes;
  return std::clamp<std::size_t>(limit / 2 / 3 / threads, kLeastBytes, kBuilderBytes);
}

constexpr std::chrono::milliseconds kFirstAnswers{800};
constexpr std::size_t kManyFiles = 1000;  // worth some milliseconds of giving memory back

class RepoIndexImpl : public RepoIndex {
 public:
  RepoIndexImpl(Repository repository, IndexOptions options)
      : root_(repository.root()),
        options_(std::move(options)),
        catalog_(options_.cache_directory),
        walker_(root_, {options_.max_commits, options_.cache_directory}) {
    source_ = std::make_shared<TextSource>(std::move(repository), options_.max_file_bytes);
    auto empty = std::make_shared<BaseView>();
    empty->source = source_;
    publish(std::move(empty));
  }

  ~RepoIndexImpl() override { (void)catalog_.keep(liveness(*current())); }

  const std::filesystem::path& root() const override { return root_; }

  Result<BuildReport> update(std::stop_token stop) override {
    std::lock_guard writing(write_mutex_);
    const auto started = std::chrono::steady_clock::now();
    AMBIT_TRY(repo, Repository::open(root_));
    AMBIT_TRY(listed, repo.list(stop));
    AMBIT_CHECK_OK(catalog_.load());
    (void)catalog_.keep(liveness(*current()));
    rules_ = PathRules::of(repo, listed);
    if (!options_.cache_directory.empty()) {
      if (auto kept = remember_root(options_.cache_directory, root_); !kept)
        log(LogLevel::kWarning, "index", kept.error().message);
    }
    auto view = std::make_shared<BaseView>();
    view->source = source_;
    view->tree_name = repo.head_name();
    view->files.reserve(listed.size());
    for (const auto& f : listed) view->files.push_back(entry_of(f));
    AMBIT_TRY(learnt, learn(*view, Keep::kOnDisk, stop));
    auto report = report_of(*view);
    report.reused_files = learnt.reused;
    publish(std::move(view));
    // The allocator keeps what parsing, merging and earlier views took: 150 MB after a large tree.
    if (learnt.read >= kManyFiles) {
      listed = {};
      malloc_trim(0);
    }
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return report;
  }

  Result<void> update_paths(const std::vector<std::string>& paths, std::stop_token stop) override {
    const auto before = current();
    if (before->files.empty() || std::any_of(paths.begin(), paths.end(), is_rules_file)) {
      AMBIT_TRY(report, update(std::move(stop)));
      (void)report;
      return {};
    }
    {
      std::lock_guard writing(write_mutex_);
      AMBIT_TRY(changed, look_again(*before, paths));
      if (changed.view != nullptr) {
        AMBIT_CHECK_OK(learn(*changed.view, Keep::kInMemory, stop));
        publish(std::move(changed.view));
      }
      if (!changed.new_folder) return {};
    }
    AMBIT_TRY(report, update(std::move(stop)));
    (void)report;
    return {};
  }

  Result<void> update_history(std::stop_token stop) override {
    std::lock_guard walking(walk_mutex_);
    AMBIT_TRY(history, walker_.walk(std::move(stop)));
    std::lock_guard lock(view_mutex_);
    if (history == history_) return {};
    history_ = std::move(history);
    snapshot_ = std::make_shared<const SnapshotImpl>(view_, history_);
    return {};
  }

  std::shared_ptr<const Snapshot> snapshot() const override {
    std::lock_guard lock(view_mutex_);
    return snapshot_;
  }

 private:
  enum class Keep { kInMemory, kOnDisk };
  struct Looked {
    std::shared_ptr<BaseView> view;  // null when nothing is different
    bool new_folder = false;
  };
  struct Learnt {  // files
    std::size_t reused = 0, read = 0;
  };
  // The files as they are now, where only these paths may differ.
  Result<Looked> look_again(const BaseView& before, const std::vector<std::string>& paths) const {
    Looked out;
    AMBIT_TRY(repo, Repository::open(root_));
    const auto view = [&]() -> BaseView& {
      if (out.view == nullptr) {
        out.view = std::make_shared<BaseView>(before);
        out.view->tree_name = repo.head_name();
      }
      return *out.view;
    };
    for (const auto& path : paths) {
      const auto& files = out.view == nullptr ? before.files : out.view->files;
      const auto it =
          std::lower_bound(files.begin(), files.end(), path,
                           [](const FileEntry& f, const std::string& p) { return f.path < p; });
      const bool known = it != files.end() && it->path == path;
      const auto at = it - files.begin();
      const auto now = repo.look(path, known);
      if (now) {
        if (known && it->settled && it->stamp == now->stamp && it->segment != kNoRecord) continue;
        auto& all = view().files;
        if (known) {
          all[static_cast<std::size_t>(at)] = entry_of(*now);
        } else {
          all.insert(all.begin() + at, entry_of(*now));
        }
      } else if (now.error().code == Code::kInvalidArgument && !known) {
        out.new_folder = true;
      } else if (known) {
        auto& all = view().files;
        all.erase(all.begin() + at);
      } else if (const auto below = path + "/";
                 it != files.end() && std::any_of(it, files.end(), [&](const FileEntry& f) {
                   return f.path.starts_with(below);
                 })) {  // a folder that went away
        std::erase_if(view().files, [&](const FileEntry& f) { return f.path.starts_with(below); });
      }
    }
    return out;
  }

  // Whether the view has a blob. Only as good as the view's blobs are known.
  static std::function<bool(const BlobId&)> liveness(const BaseView& view) {
    return [blobs = std::vector<BlobId>(), &view](const BlobId& b) mutable {
      if (blobs.empty()) {
        for (const auto& f : view.files) blobs.push_back(f.blob);
        std::sort(blobs.begin(), blobs.end());
      }
      return std::binary_search(blobs.begin(), blobs.end(), b);
    };
  }

  FileEntry entry_of(const WorkFile& f) const {
    FileEntry e;
    e.path = f.path;
    e.blob = f.blob;
    e.bytes = f.bytes;
    e.mtime_ns = f.mtime_ns;
    e.stamp = f.stamp;
    e.settled = settled(f.mtime_ns);
    e.on_disk = f.on_disk;
    e.file_class = rules_.classify(f);
    e.language = language_of(f.path);
    return e;
  }

  // Written long enough ago that another write would have changed the stamp.
  static bool settled(std::int64_t mtime_ns) {
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    return mtime_ns != 0 && now - mtime_ns > kRacyNanoseconds;
  }

  // Finds or makes the record of every file. On cancel what was learnt is kept in the store.
  Result<Learnt> learn(BaseView& view, Keep keep, std::stop_token stop) {
    const auto before = current();
    std::vector<std::size_t> jobs;
    Learnt out;
    for (std::size_t i = 0; i < view.files.size(); ++i) {
      auto& f = view.files[i];
      if (f.segment != kNoRecord) continue;  // untouched by update_paths
      if (never_read(f.file_class)) continue;
      if (f.blob ==
          BlobId{}) {  // changed or untracked: the same size and time mean the same content
        const auto* old = before->find(f.path);
        if (old != nullptr && old->settled && old->stamp == f.stamp && f.stamp != 0 &&
            old->segment != kNoRecord) {
          f.blob = old->blob;
        }
      }
      if (f.blob != BlobId{} && attach(catalog_, f)) {
        ++out.reused;
        continue;
      }
      jobs.push_back(i);
    }
    view.segments = catalog_.segments();
    if (!jobs.empty()) {
      const bool first = before->files.empty();
      if (first) {
        publish_names(view);
        // What was touched last is asked for first.
        std::stable_sort(jobs.begin(), jobs.end(), [&](std::size_t a, std::size_t b) {
          return view.files[a].mtime_ns > view.files[b].mtime_ns;
        });
      }
      AMBIT_CHECK_OK(run(view, jobs, keep, first, stop));
    }
    view.segments = catalog_.segments();
    // Segments may have been merged: numbers are looked up again by content.
    if (catalog_.compact_if_worth(liveness(view))) {
      view.segments = catalog_.segments();
      for (auto& f : view.files) {
        if (f.segment != kNoRecord) attach(catalog_, f);
      }
    }
    view.link();
    out.read = jobs.size();
    return out;
  }

  // File names are worth something before their contents are known.
  void publish_names(const BaseView& view) {
    auto early = std::make_shared<BaseView>(view);
    early->tree_name += " (indexing)";
    early->link();
    publish(std::move(early));
  }

  // Definitions of some files while the others are being read: `done` are those of one thread.
  void publish_part(const BaseView& view, const std::vector<std::size_t>& done) {
    auto part = std::make_shared<BaseView>(*current());  // of publish_names: the same files
    part->segments = catalog_.segments();
    for (const auto i : done) {
      part->files[i] = view.files[i];
      if (view.files[i].blob != BlobId{}) attach(catalog_, part->files[i]);
    }
    part->link();
    publish(std::move(part));
  }

  Result<void> run(BaseView& view, const std::vector<std::size_t>& jobs, Keep keep, bool first,
                   std::stop_token stop) {
    std::atomic<std::size_t> next{0};
    std::mutex progress_mutex;
    const auto started = std::chrono::steady_clock::now();
    auto last_progress = started;
    const auto threads =
        std::clamp<std::size_t>(options_.threads, 1, std::max<std::size_t>(1, jobs.size() / 4));
    std::vector<Result<void>> results(threads, Result<void>{});
    const auto most_bytes = builder_bytes(threads);
    const auto work = [&](std::size_t self) {
      auto repo = Repository::open(root_);
      if (!repo) {
        results[self] = repo.error();
        return;
      }
      Learner learner(catalog_, options_.max_file_bytes);
      SegmentBuilder builder;
      std::vector<std::size_t> done;
      bool shown = !first || self != 0;
      for (;;) {
        if (stop.stop_requested()) break;
        const auto n = next.fetch_add(1);
        if (n >= jobs.size()) break;
        auto& f = view.files[jobs[n]];
        if (options_.on_progress) {
          std::lock_guard lock(progress_mutex);
          const auto now = std::chrono::steady_clock::now();
          if (now - last_progress > std::chrono::milliseconds(100)) {
            last_progress = now;
            options_.on_progress({n, jobs.size(), f.path});
          }
        }
        learner.learn(*repo, f, builder, stop);
        done.push_back(jobs[n]);
        const bool early = !shown && std::chrono::steady_clock::now() - started > kFirstAnswers;
        if (!early && builder.memory_bytes() <= most_bytes) continue;
        store(builder, results[self], keep);
        if (first && self == 0) publish_part(view, done);
        shown = shown || early;
      }
      if (!builder.empty()) store(builder, results[self], keep);
    };
    {
      std::vector<std::jthread> pool;
      for (std::size_t t = 1; t < threads; ++t) pool.emplace_back(work, t);
      work(0);
    }
    for (const auto& r : results) {
      if (!r) return r.error();
    }
    if (stop.stop_requested())
      return make_error(Code::kCancelled, "indexing was cancelled; what was learnt is kept");
    if (keep == Keep::kOnDisk) malloc_trim(0);  // what builders took, before segments are merged
    for (const auto i : jobs) {
      if (view.files[i].blob != BlobId{}) attach(catalog_, view.files[i]);
    }
    return {};
  }

  void store(SegmentBuilder& builder, Result<void>& result, Keep keep) {
    auto stored = keep == Keep::kOnDisk ? catalog_.add(builder.finish())
                                        : catalog_.add_volatile(builder.finish());
    if (!stored) result = std::move(stored);
  }

  BuildReport report_of(const BaseView& view) const {
    BuildReport r;
    for (const auto& f : view.files) {
      ++r.files;
      r.bytes += f.bytes;
      if (!is_indexed(f.file_class)) {
        ++r.skipped[std::string(to_string(f.file_class))];
        continue;
      }
      ++r.languages[std::string(language_info(f.language).name)];
      if (f.segment == kNoRecord) continue;
      const auto& e = view.segments[f.segment]->record(f.record);
      if (e.errors != 0 || e.flags != 0) ++r.partial;
      r.definitions += e.definitions;
      r.references += e.mentions;
    }
    for (const auto& s : view.segments) r.index_bytes += s->size();
    return r;
  }

  std::shared_ptr<const BaseView> current() const {
    std::lock_guard lock(view_mutex_);
    return view_;
  }
  void publish(std::shared_ptr<const BaseView> view) {
    std::lock_guard lock(view_mutex_);
    auto snapshot = std::make_shared<const SnapshotImpl>(view, history_);
    view_ = std::move(view);
    snapshot_ = std::move(snapshot);
  }

  std::filesystem::path root_;
  IndexOptions options_;
  Catalog catalog_;
  std::shared_ptr<const TextSource> source_;
  PathRules rules_;
  std::mutex write_mutex_;  // one update at a time
  std::mutex walk_mutex_;   // guards walker_
  HistoryWalker walker_;
  mutable std::mutex view_mutex_;
  std::shared_ptr<const BaseView> view_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<const History> history_ = std::make_shared<const History>();
};

}  // namespace

Result<std::unique_ptr<RepoIndex>> RepoIndex::open(const std::filesystem::path& root,
                                                   IndexOptions options) {
  AMBIT_TRY(repository, Repository::open(root));
  return std::unique_ptr<RepoIndex>(
      std::make_unique<RepoIndexImpl>(std::move(repository), std::move(options)));
}

}  // namespace ambit::indexer
