// RepoIndex: lists the files, learns what the store does not know yet, publishes views.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "daemon/support/machine.h"
#include "daemon/support/trace.h"
#include "indexer/encoding.h"
#include "indexer/git/history.h"
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
constexpr std::uint64_t kReadLimit = std::uint64_t{64} << 20;

// A rule of the path, said without looking at the content.
// What an apply writes beside a file before it takes its place (assists/refactor/journal.h).
bool half_written(std::string_view path) {
  return path.substr(path.rfind('/') + 1).starts_with(".ambit-") && path.ends_with(".tmp");
}

FileClass path_class(const WorkFile& f, const IgnoreRules& ignore, const Attributes& attributes) {
  if (f.kind == FileKind::kSymlink) return FileClass::kSymlink;
  if (f.kind == FileKind::kSubmodule) return FileClass::kSubmodule;
  if (ignore.ignored(f.path) || half_written(f.path)) return FileClass::kIgnored;
  const auto by_path = classify_path(f.path);
  if (by_path == FileClass::kSecret || attributes.empty()) return by_path;
  if (attributes.is_set(f.path, "binary")) return FileClass::kBinary;
  if (attributes.is_set(f.path, "linguist-generated")) return FileClass::kGenerated;
  if (attributes.is_set(f.path, "linguist-vendored")) return FileClass::kVendored;
  return by_path;
}

// Files that change what other files count as.
bool rules_file(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  return path == ".ambitignore" || name == ".gitattributes" || name == ".gitignore";
}

bool never_read(FileClass c) {
  return c == FileClass::kSymlink || c == FileClass::kSubmodule || c == FileClass::kIgnored ||
         c == FileClass::kSecret || c == FileClass::kBinary || c == FileClass::kMinified;
}

// Whether a file of this name may be of this language; of some names only the content says which.
bool may_be(std::string_view path, Language language) {
  const auto name = path.substr(path.rfind('/') + 1);
  if (name.ends_with(".h") || name.ends_with(".H")) {
    return family_of(language) == family_of(Language::kC);
  }
  return name.find('.') == std::string_view::npos || name.ends_with(".inc") ||
         language == language_of(path);
}

std::string neutral_name(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? "x" : "x" + std::string(name.substr(dot));
}

struct Job {
  std::size_t file = 0;
};

// #define lines of a header that holds nothing else: no need to parse them.
Facts lexical_facts(std::string_view text) {
  Facts out;
  std::uint32_t line = 0;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto row = text.substr(at, end - at);
    if (row.starts_with("#define ")) {
      auto begin = std::size_t{8};
      while (begin < row.size() && row[begin] == ' ') ++begin;
      auto stop = begin;
      while (stop < row.size() &&
             (std::isalnum(static_cast<unsigned char>(row[stop])) != 0 || row[stop] == '_'))
        ++stop;
      if (stop > begin) {
        Definition d;
        const auto base = static_cast<std::uint32_t>(at);
        d.name = {base + static_cast<std::uint32_t>(begin),
                  base + static_cast<std::uint32_t>(stop)};
        d.declaration = base;
        d.span = {base, static_cast<std::uint32_t>(end)};
        d.signature_end = d.span.end;
        d.line = d.end_line = line;
        d.column = static_cast<std::uint32_t>(begin);
        d.kind = SymbolKind::kMacro;
        out.definitions.push_back(d);
      }
    }
    at = end + 1;
  }
  return out;
}

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
    ignore_ = IgnoreRules();
    attributes_ = Attributes();
    for (const auto& f : listed) {  // sorted, so those of a folder come before those below it
      const auto name = f.path.substr(f.path.rfind('/') + 1);
      // In a repository git has left out what is ignored.
      const bool ignores = name == ".gitignore" && !repo.is_git();
      if (name != ".gitattributes" && !ignores) continue;
      const auto folder = f.path.substr(0, f.path.size() - name.size());
      const auto base = folder.empty() ? folder : folder.substr(0, folder.size() - 1);
      if (auto text = repo.read(f.path, 1U << 20))
        ignores ? ignore_.add(*text, base) : attributes_.add(*text, base);
    }
    if (auto text = repo.read(".ambitignore", 1U << 20)) ignore_.add(*text);
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
    if (before->files.empty() || std::any_of(paths.begin(), paths.end(), rules_file)) {
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
    e.file_class = path_class(f, ignore_, attributes_);
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
      if (f.blob != BlobId{} && attach(f)) {
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
        if (f.segment != kNoRecord) attach(f);
      }
    }
    view.link();
    out.read = jobs.size();
    return out;
  }

  bool attach(FileEntry& f) {
    // The same content under another name may have been read as something else.
    const auto found =
        catalog_.find(f.blob, [&](const RecordEntry& r) { return may_be(f.path, r.language); });
    if (!found) return false;
    f.segment = found->first;
    f.record = found->second;
    const auto& r = catalog_.segments()[f.segment]->record(f.record);
    f.language = r.language;
    if (f.file_class == FileClass::kSource || r.file_class == FileClass::kLfsPointer)
      f.file_class = r.file_class;
    return true;
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
      if (view.files[i].blob != BlobId{}) attach(part->files[i]);
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
      Extractor extractor;
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
        learn_one(*repo, f, extractor, builder, stop);
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
      if (view.files[i].blob != BlobId{}) attach(view.files[i]);
    }
    return {};
  }

  void store(SegmentBuilder& builder, Result<void>& result, Keep keep) {
    auto stored = keep == Keep::kOnDisk ? catalog_.add(builder.finish())
                                        : catalog_.add_volatile(builder.finish());
    if (!stored) result = std::move(stored);
  }

  void learn_one(const Repository& repo, FileEntry& f, Extractor& extractor,
                 SegmentBuilder& builder, const std::stop_token& stop) {
    const auto known = f.blob;
    Result<std::string> content = make_error(Code::kNotFound, "");
    if (f.on_disk) content = repo.read(f.path, kReadLimit);
    if (!content && known != BlobId{}) content = repo.read_blob(known, kReadLimit);
    if (!content) {
      f.file_class = content.error().code == Code::kPermission          ? FileClass::kSymlink
                     : content.error().code == Code::kResourceExhausted ? FileClass::kTooLarge
                                                                        : FileClass::kUnreadable;
      return;
    }
    // The bytes decide, not what the index file says: filters and races change them.
    f.blob = hash_blob(*content);
    f.bytes = content->size();
    if (attach(f)) return;
    if (is_utf16(*content)) content = utf8_of_utf16(*content);
    SegmentBuilder::Input in;
    in.blob = f.blob;
    in.text = *content;
    in.language = f.language = language_of(f.path, std::string_view(*content).substr(0, 4096));
    in.file_class =
        classify(neutral_name(f.path), *content, content->size(), options_.max_file_bytes);
    in.index_text = is_indexed(in.file_class);
    Facts facts;
    if (in.file_class == FileClass::kRegisters) {
      facts = lexical_facts(*content);
      in.facts = &facts;
    } else if (in.index_text && in.language != Language::kNone &&
               in.file_class != FileClass::kData) {
      ExtractLimits limits;
      limits.stop = stop;
      limits.max_bytes = options_.max_file_bytes;
      auto extracted = extractor.outline(in.language, *content, limits);
      if (extracted) {
        facts = std::move(*extracted);
        in.facts = &facts;
      } else if (extracted.error().code == Code::kCancelled) {
        return;
      } else if (extracted.error().code != Code::kUnsupported) {
        in.gave_up = true;
        log(LogLevel::kWarning, "index", f.path + ": " + extracted.error().message);
      }
    }
    builder.add(in);
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
  IgnoreRules ignore_;
  Attributes attributes_;
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
