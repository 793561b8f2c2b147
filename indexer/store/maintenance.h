// Looking after the store on disk: is it whole, what of it is still needed, how large may it grow.
// The store is shared by all repositories of a user, so it remembers their roots: the file "roots",
// one path a line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/support/file.h"
#include "daemon/support/result.h"

namespace ambit::indexer {

struct StoreReport {
  std::uint64_t segments = 0, records = 0, bytes = 0;  // as found
  std::vector<std::string> damaged;                    // one line each; these files are removed
  std::uint64_t removed_records = 0;
  std::uint64_t bytes_after = 0;
};

// Opens every segment and checks its checksum. Damaged ones are removed, so that their blobs are
// learnt again.
[[nodiscard]] Result<StoreReport> verify_store(const std::filesystem::path& directory,
                                               FileSystem& files = file_system());

struct GarbageOptions {
  std::uint64_t max_bytes = 0;   // 0: no limit. Above it the oldest segments go first
  std::uint32_t keep_days = 14;  // segments younger than this are left alone
  std::stop_token stop;
};
// Drops what no file of a known repository has any more. Repositories that are gone are forgotten.
// kCancelled between two segments.
[[nodiscard]] Result<StoreReport> collect_store(const std::filesystem::path& directory,
                                                const GarbageOptions& options,
                                                FileSystem& files = file_system());

// Makes sure that collect_store() knows the repository.
[[nodiscard]] Result<void> remember_root(const std::filesystem::path& directory,
                                         const std::filesystem::path& root,
                                         FileSystem& files = file_system());

}  // namespace ambit::indexer
