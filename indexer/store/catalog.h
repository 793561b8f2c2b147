// Which segments are live: on disk below a cache directory, or only in memory when there is none.
// Files are written whole, synced and renamed (FileSystem), so a crash leaves the old set or the
// new one; a damaged or foreign file is removed with a line in the log and its blobs are learnt
// again. Facts are keyed by content, so every repository, worktree and branch may share one
// directory.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/support/file.h"
#include "indexer/store/segment.h"

namespace ambit::indexer {

class Catalog {
 public:
  explicit Catalog(std::filesystem::path directory, FileSystem& files = file_system())
      : directory_(std::move(directory)), files_(files) {}

  // Opens segments that other processes or earlier runs left. Cheap when nothing is new.
  [[nodiscard]] Result<void> load();
  // Thread-safe. The segment is durable when this returns (with a directory).
  [[nodiscard]] Result<void> add(std::string bytes);
  // Thread-safe. Kept in memory: what a save changed is written once, by keep(), and not at all
  // when the next save makes it useless. Lost in a crash, then learnt again.
  [[nodiscard]] Result<void> add_volatile(std::string bytes);
  // Makes the segments in memory durable, as one, without records that `live` refuses. True when
  // numbers changed.
  bool keep(const std::function<bool(const BlobId&)>& live);
  // Segment number and record. Thread-safe.
  [[nodiscard]] std::optional<std::pair<std::uint32_t, std::uint32_t>> find(
      const BlobId& blob, const std::function<bool(const RecordEntry&)>& fits) const;
  [[nodiscard]] std::vector<std::shared_ptr<const Segment>> segments() const;
  // Merges small segments when there are many, and segments in memory among themselves (without
  // records that `live` refuses). True when numbers changed.
  bool compact_if_worth(const std::function<bool(const BlobId&)>& live);
  // Drops records that `live` refuses and merges the rest into one segment.
  [[nodiscard]] Result<void> collect(const std::function<bool(const BlobId&)>& live);

 private:
  bool compact_once();
  [[nodiscard]] bool is_volatile(const Segment* s) const;
  [[nodiscard]] Result<std::shared_ptr<const Segment>> store(std::string bytes);
  enum class Place { kDisk, kMemory };
  [[nodiscard]] Result<void> replace(const std::vector<std::size_t>& which,
                                     const std::function<bool(std::size_t, std::uint32_t)>& keep,
                                     Place to = Place::kDisk);
  bool merge_volatile(const std::function<bool(const BlobId&)>& live, std::size_t more_than,
                      Place to);
  std::filesystem::path directory_;
  FileSystem& files_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::shared_ptr<const Segment>> segments_;
  std::vector<const Segment*> volatile_;  // those of them that are in memory for now
};

}  // namespace ambit::indexer
