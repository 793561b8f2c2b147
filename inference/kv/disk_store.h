// Warm prefixes on disk. Every full page is written once, whoever computed it: its key is the hash
// of the model's fingerprint and of all tokens from the start to the page's end. Files are segments
// of appended records, each with checksums over header and payload; nothing is ever changed in
// place. Whatever a crash leaves, a record is either whole and right or ignored, and what is
// missing is computed again: losing state costs time, never a token.
//
// Record: magic u32, kind u8, 3 zero bytes, payload length u64, key 16 B, parent key 16 B, XXH3 of
// the payload u64, XXH3 of the header so far u64; payload. Kinds: 1 rows (the page's ids, then its
// rows as they are), 2 checkpoint (page_codec.h). Little-endian.
//
// Threads: the model thread only. One process at a time uses a directory (the daemon sees to that).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "daemon/support/file.h"
#include "daemon/support/result.h"
#include "inference/kv/page.h"

namespace ambit::inference {

using PageKey = std::array<std::uint64_t, 2>;

class DiskStore {
 public:
  // Reads the index of what is there. A directory of another version or model is no error: records
  // under other keys are never asked for, and go when room is needed.
  [[nodiscard]] static Result<DiskStore> open(const std::filesystem::path& directory,
                                              std::uint64_t fingerprint, std::uint64_t max_bytes,
                                              FileSystem& files);

  // The key of the page that holds ids, after the page with key `parent` (root() for the first).
  [[nodiscard]] PageKey root() const;
  [[nodiscard]] static PageKey key_of(const PageKey& parent, std::span<const TokenId> ids);

  [[nodiscard]] bool has_rows(const PageKey& key) const;
  [[nodiscard]] bool has_checkpoint(const PageKey& key) const;

  // Writes a full page's rows, and its checkpoint when asked for; what is there already is not
  // written again. Oldest segments go first when the directory is full.
  [[nodiscard]] Result<void> put(const PageMaker& maker, const PageKey& key, const PageKey& parent,
                                 const Page& page, bool with_checkpoint);
  // Makes what was put durable.
  [[nodiscard]] Result<void> sync();

  // Reads a page back: rows, and its checkpoint when there is one. kCorrupt when the
  // bytes are not what was written: the record is forgotten.
  [[nodiscard]] Result<PagePtr> get(const PageMaker& maker, const PageKey& key,
                                    std::span<const TokenId> ids);

  [[nodiscard]] std::uint64_t bytes() const;

  static constexpr std::uint64_t kSegmentBytes = std::uint64_t{64} << 20U;

 private:
  struct Location {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;  // of the payload
    std::uint64_t size = 0;
    std::uint64_t hash = 0;
  };
  using Index = std::map<PageKey, Location>;

  DiskStore(std::filesystem::path directory, std::uint64_t fingerprint, std::uint64_t max_bytes,
            FileSystem& files)
      : directory_(std::move(directory)),
        fingerprint_(fingerprint),
        max_bytes_(max_bytes),
        files_(&files) {}
  [[nodiscard]] std::filesystem::path segment_path(std::uint64_t number) const;
  void read_segment(std::uint64_t number);
  [[nodiscard]] Result<void> append(std::uint8_t kind, const PageKey& key, const PageKey& parent,
                                    std::string_view payload);
  [[nodiscard]] Result<void> make_room(std::uint64_t bytes);
  [[nodiscard]] Result<std::string> read(Index& index, const PageKey& key);

  std::filesystem::path directory_;
  std::uint64_t fingerprint_;
  std::uint64_t max_bytes_;
  FileSystem* files_;
  Index rows_;
  Index checkpoints_;
  std::map<std::uint64_t, std::uint64_t> segments_;  // number -> bytes
  std::uint64_t current_ = 0;                        // the segment that is appended to; 0: none yet
  bool dirty_ = false;
};

}  // namespace ambit::inference
