#include "indexer/store/maintenance.h"

#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>

#include "indexer/git/repository.h"
#include "indexer/store/segment.h"

namespace ambit::indexer {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kMaxRootsBytes = 1U << 20;
constexpr std::uint64_t kReadLimit = std::uint64_t{64} << 20;
// A segment is written again when this share of its records is of no use.
constexpr double kWorthRewriting = 0.2;

std::vector<fs::path> segment_files(const fs::path& directory) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().extension() == ".seg") out.push_back(it->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> known_roots(const fs::path& directory) {
  std::vector<std::string> out;
  const auto text = read_file(directory / "roots", kMaxRootsBytes);
  if (!text) return out;
  for (std::size_t at = 0; at < text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    if (end > at) out.push_back(text->substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// Content of every file that the known repositories have now.
Result<std::set<BlobId>> live_blobs(const fs::path& directory, FileSystem& files,
                                    const std::stop_token& stop) {
  std::set<BlobId> out;
  std::string kept;
  for (const auto& root : known_roots(directory)) {
    auto repository = Repository::open(root);
    if (!repository || repository->root() != root) continue;
    auto listed = repository->list(stop);
    if (!listed && listed.error().code == Code::kCancelled) return listed.error();
    kept += root + "\n";
    // What cannot be listed now may be needed later: nothing is dropped.
    if (!listed) return make_error(Code::kIo, listed.error().message);
    for (const auto& f : *listed) {
      if (f.blob != BlobId{}) {
        out.insert(f.blob);
      } else if (auto content = repository->read(f.path, kReadLimit)) {
        out.insert(hash_blob(*content));
      }
    }
  }
  AMBIT_CHECK_OK(files.replace(directory / "roots", kept));
  return out;
}

std::int64_t age_seconds(const fs::path& file) {
  std::error_code ec;
  const auto written = fs::last_write_time(file, ec);
  if (ec) return 0;
  return std::chrono::duration_cast<std::chrono::seconds>(fs::file_time_type::clock::now() -
                                                          written)
      .count();
}

}  // namespace

Result<StoreReport> verify_store(const fs::path& directory, FileSystem& files) {
  StoreReport out;
  for (const auto& file : segment_files(directory)) {
    ++out.segments;
    std::error_code ec;
    const auto bytes = fs::file_size(file, ec);
    out.bytes += ec ? 0 : bytes;
    if (auto segment = Segment::open(file)) {
      out.records += (*segment)->record_count();
      out.bytes_after += ec ? 0 : bytes;
      continue;
    } else {
      out.damaged.push_back(segment.error().message);
    }
    (void)files.remove(file);
  }
  return out;
}

Result<StoreReport> collect_store(const fs::path& directory, const GarbageOptions& options,
                                  FileSystem& files) {
  AMBIT_TRY(out, verify_store(directory, files));
  AMBIT_TRY(live, live_blobs(directory, files, options.stop));
  for (const auto& file : segment_files(directory)) {
    if (options.stop.stop_requested())
      return make_error(Code::kCancelled, "collecting was cancelled; what was dropped stays so");
    if (age_seconds(file) < std::int64_t{options.keep_days} * 86'400) continue;
    auto segment = Segment::open(file);
    if (!segment) continue;
    const auto& s = **segment;
    std::uint64_t dead = 0;
    for (std::uint32_t r = 0; r < s.record_count(); ++r) dead += live.contains(s.blob(r)) ? 0 : 1;
    if (static_cast<double>(dead) < kWorthRewriting * s.record_count() || dead == 0) continue;
    if (dead < s.record_count()) {
      const auto bytes = merge_segments(
          {*segment}, [&](std::size_t, std::uint32_t r) { return live.contains(s.blob(r)); });
      char name[32];
      std::snprintf(name, sizeof name, "%016llx.seg",
                    static_cast<unsigned long long>(XXH3_64bits(bytes.data(), bytes.size())));
      AMBIT_CHECK_OK(files.replace(directory / name, bytes));
    }
    AMBIT_CHECK_OK(files.remove(file));
    out.removed_records += dead;
  }
  // The limit: oldest first.
  std::vector<std::pair<std::int64_t, fs::path>> left;
  out.bytes_after = 0;
  for (const auto& file : segment_files(directory)) {
    std::error_code ec;
    const auto bytes = fs::file_size(file, ec);
    if (!ec) out.bytes_after += bytes;
    left.emplace_back(-age_seconds(file), file);
  }
  std::sort(left.begin(), left.end());
  for (const auto& [age, file] : left) {
    if (options.max_bytes == 0 || out.bytes_after <= options.max_bytes) break;
    std::error_code ec;
    const auto bytes = fs::file_size(file, ec);
    if (auto segment = Segment::open(file)) out.removed_records += (*segment)->record_count();
    AMBIT_CHECK_OK(files.remove(file));
    out.bytes_after -= ec ? 0 : bytes;
  }
  return out;
}

Result<void> remember_root(const fs::path& directory, const fs::path& root, FileSystem& files) {
  const auto name = root.string();
  if (name.find('\n') != std::string::npos) return {};
  const auto known = known_roots(directory);
  if (std::find(known.begin(), known.end(), name) != known.end()) return {};
  return files.append(directory / "roots", name + "\n");
}

}  // namespace ambit::indexer
