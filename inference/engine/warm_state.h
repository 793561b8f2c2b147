// Every prefix that is kept warm: in memory (kv/prefix_tree.h), within a budget that the sequences
// in work share, and on disk (kv/disk_store.h), written one page at a time when the engine is idle.
// Threads: the model thread only, but for bytes().
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <span>

#include "inference/kv/cache.h"
#include "inference/kv/disk_store.h"
#include "inference/kv/prefix_tree.h"

namespace ambit::inference {

// The sequences that are being computed.
using LiveSequences = std::span<const KvCache* const>;

class WarmState {
 public:
  struct Options {
    std::uint64_t bytes = 0;            // of memory, sequences in work included
    std::filesystem::path directory{};  // one process at a time; empty: nothing on disk
    std::uint64_t disk_bytes = 0;
    FileSystem* files = nullptr;  // null: file_system()
  };
  // maker must outlive it. A directory that cannot be used is one line in the log, and nothing is
  // kept there.
  WarmState(const PageMaker& maker, std::uint64_t fingerprint, const Options& options);

  // A sequence that holds the longest warm prefix of ids, at most `limit` tokens of it.
  [[nodiscard]] KvCache find(std::span<const TokenId> ids, std::int64_t limit);
  // Remembers a sequence in memory.
  void insert(const KvCache& sequence) { tree_.insert(sequence); }
  // Queues what of a sequence is not on disk yet.
  void persist(const KvCache& sequence);

  // After live sequences grew: beyond the budget, what lies far behind all ends is packed, then
  // kept as rows alone. An edit there then costs the tokens behind it, but memory stays bounded.
  void bound(std::span<KvCache* const> live);
  // Drops from memory what the budget does not allow. What live sequences can go back to, and what
  // is still to be written, keeps all its parts.
  void trim(LiveSequences live);

  [[nodiscard]] bool has_writes() const { return !writes_.empty(); }
  // More than the last write, after which the disk is waited for: that is left for a quiet moment.
  [[nodiscard]] bool has_backlog() const { return writes_.size() > 1; }
  void write_one();
  // Writes for up to two seconds and makes it durable.
  void flush();

  // Of memory, as last looked at. Any thread.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Write {
    PageKey key;
    PageKey parent;
    PagePtr page;
    bool checkpoint;
  };
  void restore(KvCache& warm, std::span<const TokenId> ids, std::int64_t limit);
  [[nodiscard]] std::vector<PageKey> resumable(std::span<const TokenId> ids,
                                               std::int64_t limit) const;

  const PageMaker* maker_;
  std::uint64_t budget_;
  std::atomic<std::uint64_t> bytes_ = 0;
  PrefixTree tree_;
  std::optional<DiskStore> disk_;
  std::deque<Write> writes_;
};

}  // namespace ambit::inference
