#include "indexer/store/catalog.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>

#include "daemon/support/trace.h"

namespace ambit::indexer {
namespace {

// Every segment has its own dictionary of names and trigrams, so few large ones are smaller; a
// merge holds its result in memory, and what it reads is resident meanwhile.
constexpr std::size_t kMaxSegments = 6;
constexpr std::size_t kMaxVolatile = 8;
constexpr std::uint64_t kSmall = std::uint64_t{40} << 20;
constexpr std::uint64_t kMaxMergedSmall = std::uint64_t{80} << 20;

}  // namespace

Result<void> Catalog::load() {
  if (directory_.empty()) return {};
  AMBIT_CHECK_OK(files_.make_private_directory(directory_));
  std::vector<std::filesystem::path> found;
  std::error_code ec;
  for (std::filesystem::directory_iterator it(directory_, ec), end; !ec && it != end;
       it.increment(ec)) {
    if (it->path().extension() == ".seg") found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  std::lock_guard lock(mutex_);
  for (const auto& file : found) {
    if (std::any_of(segments_.begin(), segments_.end(),
                    [&](const auto& s) { return s->file() == file; }))
      continue;
    auto segment = Segment::open(file);
    if (segment) {
      segments_.push_back(std::move(*segment));
      continue;
    }
    const auto code = segment.error().code;
    // After an update of Ambit that is as it should be.
    log(code == Code::kUnsupported ? LogLevel::kInfo : LogLevel::kWarning, "index",
        segment.error().message + "; it is built again");
    if (code == Code::kCorrupt || code == Code::kUnsupported) (void)files_.remove(file);
  }
  return {};
}

Result<std::shared_ptr<const Segment>> Catalog::store(std::string bytes) {
  if (directory_.empty()) return Segment::from_memory(std::move(bytes));
  // The name is the content's hash: the same facts written twice are one file.
  char name[32];
  std::snprintf(name, sizeof name, "%016llx.seg",
                static_cast<unsigned long long>(XXH3_64bits(bytes.data(), bytes.size())));
  const auto file = directory_ / name;
  AMBIT_CHECK_OK(files_.replace(file, bytes));
  bytes = {};
  return Segment::open(file);
}

Result<void> Catalog::add(std::string bytes) {
  AMBIT_TRY(segment, store(std::move(bytes)));
  std::lock_guard lock(mutex_);
  if (!segment->file().empty() &&
      std::any_of(segments_.begin(), segments_.end(),
                  [&](const auto& s) { return s->file() == segment->file(); })) {
    return {};
  }
  segments_.push_back(std::move(segment));
  return {};
}

std::optional<std::pair<std::uint32_t, std::uint32_t>> Catalog::find(
    const BlobId& blob, const std::function<bool(const RecordEntry&)>& fits) const {
  std::lock_guard lock(mutex_);
  std::vector<std::uint32_t> records;
  for (std::size_t s = segments_.size(); s-- > 0;) {
    records.clear();
    segments_[s]->find(blob, records);
    for (const auto r : records) {
      if (fits(segments_[s]->record(r))) return std::pair(static_cast<std::uint32_t>(s), r);
    }
  }
  return std::nullopt;
}

std::vector<std::shared_ptr<const Segment>> Catalog::segments() const {
  std::lock_guard lock(mutex_);
  return segments_;
}

Result<void> Catalog::add_volatile(std::string bytes) {
  AMBIT_TRY(segment, Segment::from_memory(std::move(bytes)));
  std::lock_guard lock(mutex_);
  volatile_.push_back(segment.get());
  segments_.push_back(std::move(segment));
  return {};
}

bool Catalog::is_volatile(const Segment* s) const {
  return std::find(volatile_.begin(), volatile_.end(), s) != volatile_.end();
}

bool Catalog::merge_volatile(const std::function<bool(const BlobId&)>& live, std::size_t more_than,
                             Place to) {
  std::vector<std::size_t> which;
  std::vector<std::shared_ptr<const Segment>> parts;
  {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      if (!is_volatile(segments_[i].get())) continue;
      which.push_back(i);
      parts.push_back(segments_[i]);
    }
  }
  if (which.size() <= more_than) return false;
  const auto done = replace(
      which, [&](std::size_t s, std::uint32_t r) { return live(parts[s]->blob(r)); }, to);
  if (!done)
    log(LogLevel::kWarning, "index", "what was learnt is not kept: " + done.error().message);
  return done.has_value();
}

bool Catalog::keep(const std::function<bool(const BlobId&)>& live) {
  return !directory_.empty() && merge_volatile(live, 0, Place::kDisk);
}

bool Catalog::compact_if_worth(const std::function<bool(const BlobId&)>& live) {
  bool any = merge_volatile(live, kMaxVolatile, Place::kMemory);
  while (compact_once()) any = true;
  return any;
}

bool Catalog::compact_once() {
  std::vector<std::size_t> small;  // the smallest first, each not much larger than those before
  {
    std::lock_guard lock(mutex_);
    std::vector<std::pair<std::uint64_t, std::size_t>> by_size;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      if (!is_volatile(segments_[i].get())) by_size.emplace_back(segments_[i]->size(), i);
    }
    if (by_size.size() <= kMaxSegments) return false;
    std::sort(by_size.begin(), by_size.end());
    std::uint64_t total = 0;
    for (const auto& [size, i] : by_size) {
      if (size > kSmall || total + size > kMaxMergedSmall) break;
      // What is written again stays in proportion to what is new: no large one for a small one's
      // sake, and no more than few enough are left.
      const auto left = by_size.size() + 1 - small.size();
      if (!small.empty() && size > 2 * total && left <= 2 * kMaxSegments) break;
      if (left <= kMaxSegments && size > total / 4) break;
      total += size;
      small.push_back(i);
    }
  }
  if (small.size() < 2) return false;
  const auto done = replace(small, [](std::size_t, std::uint32_t) { return true; });
  if (!done) log(LogLevel::kWarning, "index", "segments stay apart: " + done.error().message);
  return done.has_value();
}

Result<void> Catalog::collect(const std::function<bool(const BlobId&)>& live) {
  std::vector<std::size_t> all;
  {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < segments_.size(); ++i) all.push_back(i);
  }
  if (all.empty()) return {};
  const auto parts = segments();
  return replace(all, [&](std::size_t s, std::uint32_t r) { return live(parts[s]->blob(r)); });
}

Result<void> Catalog::replace(const std::vector<std::size_t>& which,
                              const std::function<bool(std::size_t, std::uint32_t)>& keep,
                              Place to) {
  std::vector<std::shared_ptr<const Segment>> parts;
  {
    std::lock_guard lock(mutex_);
    for (const auto i : which) parts.push_back(segments_[i]);
  }
  auto bytes = merge_segments(parts, keep);
  AMBIT_TRY(merged, to == Place::kMemory ? Segment::from_memory(std::move(bytes))
                                         : store(std::move(bytes)));
  std::lock_guard lock(mutex_);
  std::erase_if(segments_, [&](const auto& s) {
    return std::find(parts.begin(), parts.end(), s) != parts.end();
  });
  std::erase_if(volatile_, [&](const Segment* s) {
    return std::any_of(parts.begin(), parts.end(), [&](const auto& p) { return p.get() == s; });
  });
  if (to == Place::kMemory) volatile_.push_back(merged.get());
  segments_.push_back(std::move(merged));
  for (const auto& p : parts) {
    // Mapped files stay readable for views that still use them.
    if (!p->file().empty() && p->file() != segments_.back()->file()) (void)files_.remove(p->file());
  }
  return {};
}

}  // namespace ambit::indexer
