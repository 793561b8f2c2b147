#include "inference/engine/warm_state.h"

#include <algorithm>
#include <unordered_set>

#include "daemon/support/clock.h"
#include "daemon/support/file.h"
#include "daemon/support/trace.h"

namespace ambit::inference {
namespace {

constexpr std::size_t kTokens = static_cast<std::size_t>(kPageTokens);
constexpr std::size_t kWarmPages = 16;         // behind the end of a live sequence: 2048 tokens
constexpr std::size_t kMostWrites = 16384;     // more are dropped: they cost time, later
constexpr std::size_t kCheckpointEvery = 128;  // pages
constexpr double kPatienceMs = 2000;

}  // namespace

WarmState::WarmState(const PageMaker& maker, std::uint64_t fingerprint, const Options& options)
    : maker_(&maker), budget_(options.bytes), tree_(maker, options.bytes) {
  if (options.directory.empty()) return;
  FileSystem& files = options.files != nullptr ? *options.files : file_system();
  auto store = DiskStore::open(options.directory, fingerprint, options.disk_bytes, files);
  if (store) {
    disk_.emplace(std::move(*store));
  } else {
    log(LogLevel::kWarning, "engine", "no state on disk: " + store.error().message);
  }
}

KvCache WarmState::find(std::span<const TokenId> ids, std::int64_t limit) {
  KvCache found = tree_.find(ids, limit);
  restore(found, ids, limit);
  return found;
}

// The keys of the pages on disk up to the last one after which one can go on.
std::vector<PageKey> WarmState::resumable(std::span<const TokenId> ids, std::int64_t limit) const {
  const std::size_t windows = maker_->shape().window_pages();
  const auto most = static_cast<std::size_t>(limit) / kTokens;
  std::vector<PageKey> keys;
  PageKey key = disk_->root();
  std::size_t reach = 0;
  std::size_t in_a_row = 0;  // checkpoints
  while (keys.size() < most) {
    key = DiskStore::key_of(key, ids.subspan(keys.size() * kTokens, kTokens));
    if (!disk_->has_rows(key)) break;
    keys.push_back(key);
    in_a_row = disk_->has_checkpoint(key) ? in_a_row + 1 : 0;
    if (in_a_row >= std::min(windows, keys.size())) reach = keys.size();
  }
  keys.resize(reach);
  return keys;
}

// Takes up the state on disk when it reaches further than what is warm in memory.
void WarmState::restore(KvCache& warm, std::span<const TokenId> ids, std::int64_t limit) {
  if (!disk_) return;
  const std::size_t windows = maker_->shape().window_pages();
  const std::vector<PageKey> keys = resumable(ids, limit);
  if (static_cast<std::int64_t>(keys.size() * kTokens) <= warm.length()) return;
  KvCache cache(*maker_);
  const auto whole = static_cast<std::size_t>(warm.length()) / kTokens;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool needs_window = i + windows >= keys.size();
    const bool enough =
        i < whole &&
        (!needs_window || (warm.pages()[i]->has_window() && warm.pages()[i]->has_edge()));
    if (enough) {
      cache.adopt(warm.pages()[i], static_cast<std::int32_t>(kPageTokens));
      continue;
    }
    auto page = disk_->get(*maker_, keys[i], ids.subspan(i * kTokens, kTokens));
    if (!page || (needs_window && !(*page)->has_window())) return;  // damaged: compute it again
    cache.adopt(std::move(*page), static_cast<std::int32_t>(kPageTokens));
  }
  cache.thaw();
  tree_.insert(cache);
  warm = std::move(cache);
}

void WarmState::persist(const KvCache& sequence) {
  if (!disk_) return;
  const std::size_t full = static_cast<std::size_t>(sequence.length()) / kTokens;
  const std::size_t windows = maker_->shape().window_pages();
  PageKey key = disk_->root();
  for (std::size_t i = 0; i < full; ++i) {
    const PagePtr& page = sequence.pages()[i];
    const PageKey parent = key;
    key = DiskStore::key_of(parent, page->ids);
    const bool checkpoint =
        i + windows >= full || i % kCheckpointEvery + windows >= kCheckpointEvery;
    if (disk_->has_rows(key) && (!checkpoint || disk_->has_checkpoint(key))) continue;
    if (writes_.size() < kMostWrites) writes_.push_back({key, parent, page, checkpoint});
  }
}

void WarmState::bound(std::span<KvCache* const> live) {
  const auto is_over = [&] {
    std::uint64_t sum = tree_.bytes();
    for (const KvCache* cache : live) {
      for (const PagePtr& p : cache->pages()) sum += p.use_count() == 1 ? p->bytes() : 0;
    }
    bytes_.store(sum, std::memory_order_relaxed);
    return sum > budget_;
  };
  if (is_over()) trim(std::vector<const KvCache*>(live.begin(), live.end()));
  for (const auto free : {&KvCache::cool, &KvCache::strip}) {
    for (KvCache* cache : live) {
      if (is_over()) (cache->*free)(kWarmPages);
    }
  }
}

void WarmState::trim(LiveSequences live) {
  std::unordered_set<const Page*> needed;
  for (const KvCache* cache : live) {
    const auto& pages = cache->pages();
    for (std::size_t i = pages.size() - std::min(pages.size(), kWarmPages); i < pages.size(); ++i) {
      needed.insert(pages[i].get());
    }
  }
  for (const Write& w : writes_) needed.insert(w.page.get());
  tree_.trim(needed);
  bytes_.store(tree_.bytes(), std::memory_order_relaxed);
}

void WarmState::write_one() {
  if (writes_.empty()) return;
  const Write w = std::move(writes_.front());
  writes_.pop_front();
  auto done = disk_->put(*maker_, w.key, w.parent, *w.page, w.checkpoint);
  if (done && writes_.empty()) done = disk_->sync();
  if (done) return;
  log(LogLevel::kWarning, "engine", "state is no longer kept on disk: " + done.error().message);
  disk_.reset();
  writes_.clear();
}

void WarmState::flush() {
  const auto since = steady_clock().now();
  while (!writes_.empty() && elapsed_ms(since, steady_clock().now()) < kPatienceMs) write_one();
  if (disk_) (void)disk_->sync();
}

}  // namespace ambit::inference
